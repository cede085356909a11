/**
 * `Unreachable`: no connection, or it broke. `Timeout`: no answer in time. `Untrusted`: another server certificate than
 * before. `NoCertificate`: our own client certificate could not be had. `Unauthorized`: the router does not admit our client certificate. `Superseded`: the router runs a newer table.
 * `OtherBase`: the router runs another table than was changed, and needs a whole one. `Rejected`: it refused the request. `Malformed`: its answer is not what the protocol says.
 */
export type RouterAdminErrorCode =
  | 'Unreachable'
  | 'Timeout'
  | 'Untrusted'
  | 'NoCertificate'
  | 'Unauthorized'
  | 'Superseded'
  | 'OtherBase'
  | 'Rejected'
  | 'Malformed';

/** A request to a router's admin server that failed. Never carries the request's body. */
export class RouterAdminError extends Error {
  override readonly name = 'RouterAdminError';
  readonly code: RouterAdminErrorCode;
  /** The version that the router runs, with `Superseded`. */
  readonly newerVersion: number | undefined;

  constructor(options: {
    code: RouterAdminErrorCode;
    router: string;
    message: string;
    newerVersion?: number;
    cause?: unknown;
  }) {
    super(`router ${options.router}: ${options.message}`, { cause: options.cause });
    this.code = options.code;
    this.newerVersion = options.newerVersion;
  }
}
