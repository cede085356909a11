/** Deadlines on top of a caller's AbortSignal. */
import type { Clock } from './clock.ts';

export interface Deadline {
  readonly signal: AbortSignal;
  /** True when the time ran out, false when the parent aborted or neither has. */
  readonly expired: boolean;
  /** Stops the timer; the parent's abort still passes through. */
  lift(): void;
  /** Detaches from the parent and stops the timer. Call it always, or a long-lived parent collects listeners. */
  dispose(): void;
}

/**
 * A signal that aborts with its parent, or after `ms` with the reason that `makeReason` gives.
 * Instead of `AbortSignal.any`, whose children live as long as a parent that never aborts.
 */
export function deadline(
  parent: AbortSignal | undefined,
  ms: number,
  clock: Clock,
  makeReason: () => Error,
): Deadline {
  const controller = new AbortController();
  let expired = false;
  const onAbort = () => controller.abort(parent?.reason);
  const cancel = clock.setTimeout(() => {
    expired = true;
    controller.abort(makeReason());
  }, ms);
  if (parent?.aborted) {
    onAbort();
  } else {
    parent?.addEventListener('abort', onAbort, { once: true });
  }
  return {
    signal: controller.signal,
    get expired() {
      return expired;
    },
    lift: cancel,
    dispose() {
      cancel();
      parent?.removeEventListener('abort', onAbort);
    },
  };
}

/** Resolves when the signal aborts, at once if it has. Never rejects. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
    } else {
      signal.addEventListener('abort', () => resolve(), { once: true });
    }
  });
}

/** The promise's outcome, unless the signal aborts first: then its reason. For work that cannot be told to stop. */
export async function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) {
    return promise;
  }
  const stopped = Promise.withResolvers<never>();
  const onAbort = () => stopped.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) {
    onAbort();
  }
  try {
    return await Promise.race([promise, stopped.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
