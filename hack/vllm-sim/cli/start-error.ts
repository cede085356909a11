/** An engine that cannot start: logged as Python would, exit code 1. */
export class StartError extends Error {
  readonly code = 'Start';
  readonly exitCode = 1;
  /** Python's exception class, for the log. */
  readonly kind: string;

  constructor(kind: string, message: string) {
    super(`${kind}: ${message}`);
    this.name = 'StartError';
    this.kind = kind;
  }
}
