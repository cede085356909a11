/** Time as the simulator sees it, so that tests can drive it. */
export interface SimClock {
  /** Milliseconds that never go back. */
  now(): number;
  /** Calls once after `ms`; the result cancels. */
  after(ms: number, run: () => void): () => void;
}

export const SYSTEM_CLOCK: SimClock = {
  now: () => performance.now(),
  after(ms, run) {
    if (ms <= 0) {
      const handle = setImmediate(run);
      return () => clearImmediate(handle);
    }
    const handle = setTimeout(run, ms);
    return () => clearTimeout(handle);
  },
};

/** Resolves after `ms`; rejects with the signal's reason when aborted. */
export function pause(clock: SimClock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', stop);
      resolve();
    });
    const stop = (): void => {
      cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', stop, { once: true });
  });
}
