/** Time as a dependency that tests can control. */

export interface Clock {
  /** Wall time in milliseconds since the epoch. It can jump: use it for timestamps only. */
  now(): number;
  /** Milliseconds from an arbitrary start. It never jumps: use it for durations and deadlines. */
  monotonic(): number;
  /** Calls back once after `ms`. Returns a function that cancels the timer. */
  setTimeout(callback: () => void, ms: number): () => void;
}

/** The clock of the process. Like Node's own timers, its timers keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (callback, ms) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms`. Rejects with the signal's reason if that aborts first. */
export function sleep(
  ms: number,
  { clock = systemClock, signal }: { clock?: Clock; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** A time as `metav1.MicroTime`, for Leases and Events. It needs six fractional digits; the API server rejects three. */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}

/** A time as `metav1.Time`, in whole seconds, which is the resolution that the API server stores. */
export function secondTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
