/** Ends the whole sweep, because the next profile would fail for the same reason. The message has the remedy. */
export class TuneStoppedError extends Error {
  readonly code = 'TuneStopped';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TuneStoppedError';
  }
}
