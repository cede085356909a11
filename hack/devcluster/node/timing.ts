import { setTimeout as delay } from 'node:timers/promises';

/** The node agent's waits. */
export interface Timing {
  /**
   * Factor on every intended wait: initial delays and periods of probes, preStop sleeps, back-off.
   * Limits are not scaled: timeouts, grace periods, liveness probes, and the total time of a startup probe.
   */
  readonly scale: number;
  now(): Date;
  /** Resolves after `seconds × scale`; rejects with the signal's reason when that is aborted. */
  sleep(seconds: number, signal: AbortSignal): Promise<void>;
}

/** Real time, with waits shortened (scale below 1) for tests. */
export function realTiming(scale = 1): Timing {
  return {
    scale,
    now: () => new Date(),
    sleep: async (seconds, signal) => {
      await delay(seconds * scale * 1000, undefined, { signal });
    },
  };
}

/** A time as the API writes it: whole seconds. */
export function apiTime(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
