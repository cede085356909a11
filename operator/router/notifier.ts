/** Wakes one waiting task. */
import { type Clock, systemClock } from '../kube/clock.ts';

/** A flag that one task waits for. A notification before the wait is not lost, and several count as one. */
export class Notifier {
  #set = false;
  #wake: (() => void) | undefined;

  notify(): void {
    this.#set = true;
    this.#wake?.();
  }

  /** Withdraws a notification that nobody has waited for. */
  clear(): void {
    this.#set = false;
  }

  /** Resolves when notified, after the timeout, or when the signal aborts. Never rejects. */
  async wait(signal: AbortSignal, timeoutMs?: number, clock: Clock = systemClock): Promise<void> {
    if (!this.#set && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const cancel =
          timeoutMs === undefined ? undefined : clock.setTimeout(() => this.#wake?.(), timeoutMs);
        const onAbort = () => this.#wake?.();
        this.#wake = () => {
          cancel?.();
          signal.removeEventListener('abort', onAbort);
          this.#wake = undefined;
          resolve();
        };
        signal.addEventListener('abort', onAbort, { once: true });
      });
    }
    this.#set = false;
  }
}
