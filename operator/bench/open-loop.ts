/** Calls `send` at planned times and never waits for what it does: an open loop. */
import { type Clock, sleep } from '../kube/clock.ts';
import type { Arrival } from './arrival-times.ts';

export interface OpenLoop {
  clock: Clock;
  signal: AbortSignal;
  /** Monotonic times of start and end. */
  startMs: number;
  endMs: number;
  /** `dueMs` is the monotonic time at which the request had to be sent, which may have passed. */
  send: (arrival: Arrival, dueMs: number) => void;
}

/** Resolves at the end, or as soon as the signal aborts. */
export async function openLoop(
  arrivals: Iterable<Arrival>,
  { clock, signal, startMs, endMs, send }: OpenLoop,
): Promise<void> {
  const until = async (timeMs: number): Promise<void> => {
    // A timer may fire up to a millisecond early.
    do await sleepOrAbort(Math.max(0, timeMs - clock.monotonic()), clock, signal);
    while (!signal.aborted && clock.monotonic() < timeMs);
  };
  // All that is due when a turn begins is sent in it. Then answers are read, even if more has become due meanwhile.
  let turnMs = clock.monotonic();
  for (const arrival of arrivals) {
    const dueMs = startMs + arrival.atMs;
    if (dueMs > turnMs) {
      await until(dueMs);
      turnMs = clock.monotonic();
    }
    if (signal.aborted) return;
    send(arrival, dueMs);
  }
  await until(endMs);
}

async function sleepOrAbort(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, { clock, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
