/** Time as an injected dependency, so that tests decide when it passes. */

export interface Clock {
  /** Wall time in milliseconds since the epoch. It can jump: use it for timestamps only. */
  now(): number;
  /** Milliseconds from an arbitrary start. It never jumps: use it for durations and deadlines. */
  monotonic(): number;
  /** Calls back once after `ms`. Returns a function that cancels the call. */
  setTimeout(callback: () => void, ms: number): () => void;
}

/** The clock of the process. Its timers keep the process alive, as those of Node do. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (callback, ms) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms`; rejects with the signal's reason when that aborts first. */
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

/** A time as `metav1.MicroTime` (six fractional digits), which Leases and Events need: the API server refuses three. */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}

/** A time as `metav1.Time`: whole seconds, since that is what the API server keeps. */
export function secondTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
