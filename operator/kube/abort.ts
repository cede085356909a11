/** Deadlines on top of a caller's AbortSignal. */
import type { Clock } from './clock.ts';

export interface Deadline {
  readonly signal: AbortSignal;
  /** True if the time ran out. False if the parent aborted or nothing has happened yet. */
  readonly expired: boolean;
  /** Stops the timer. An abort of the parent still passes through. */
  lift(): void;
  /** Detaches from the parent and stops the timer. Always call it, because a long-lived parent otherwise collects listeners. */
  dispose(): void;
}

/**
 * A signal that aborts with its parent, or after `ms` with the reason from `makeReason`. `AbortSignal.any` is not used,
 * because its signals are only released once the parent aborts.
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

/** Resolves when the signal aborts, at once if it already has. Never rejects. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
    } else {
      signal.addEventListener('abort', () => resolve(), { once: true });
    }
  });
}

/**
 * The outcome of the promise, or a rejection with the signal's reason if that aborts first. For work that cannot be
 * cancelled.
 */
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
