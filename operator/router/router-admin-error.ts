/**
 * `Unreachable`: no connection, or it broke. `Timeout`: no response in time. `Untrusted`: another server certificate than
 * before. `NoCertificate`: the operator's client certificate could not be loaded. `Unauthorized`: the router rejects the
 * client certificate. `Superseded`: the router runs a newer table. `OtherBase`: the router runs another table than the
 * change is based on and needs the whole table. `Rejected`: the router rejected the request. `Malformed`: the response
 * violates the protocol.
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

/** A failed request to the admin server of a router. Does not contain the request body. */
export class RouterAdminError extends Error {
  override readonly name = 'RouterAdminError';
  readonly code: RouterAdminErrorCode;
  /** For `Superseded`: the version that the router runs. */
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
