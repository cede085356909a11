/** Calls `send` at planned times and never waits for what it does: an open loop. */
import { type Clock, sleep } from '../kube/clock.ts';
import type { Arrival } from './arrival-times.ts';

/** Arrivals that are sent before the event loop gets a turn, so that one that is late still reads answers. */
const MOST_AT_ONCE = 64;

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
  let sent = 0;
  for (const arrival of arrivals) {
    const dueMs = startMs + arrival.atMs;
    if (clock.monotonic() < dueMs || sent >= MOST_AT_ONCE) {
      sent = 0;
      await until(dueMs);
    }
    if (signal.aborted) return;
    send(arrival, dueMs);
    sent += 1;
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
