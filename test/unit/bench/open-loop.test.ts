import { describe, expect, it } from 'vitest';
import type { Arrival } from '../../../operator/bench/arrival-times.ts';
import { openLoop } from '../../../operator/bench/open-loop.ts';
import { FakeClock } from '../kube/support/fake-clock.ts';

const every = (gapMs: number, count: number): Arrival[] =>
  Array.from({ length: count }, (_, n) => ({ atMs: n * gapMs, step: 0 }));

function start(arrivals: Iterable<Arrival>, endMs: number) {
  const clock = new FakeClock();
  const controller = new AbortController();
  const sent: { dueMs: number; nowMs: number }[] = [];
  const send = (_: Arrival, dueMs: number): void => void sent.push({ dueMs, nowMs: clock.monotonic() });
  const done = openLoop(arrivals, { clock, signal: controller.signal, startMs: 0, endMs, send });
  return { clock, controller, sent, done };
}

describe('an open loop', () => {
  it('sends each request when it is due, and ends with the last stage', async () => {
    const { clock, sent, done } = start(every(20, 50), 1000);
    await clock.advance(999);
    expect(sent).toEqual(every(20, 50).map(({ atMs }) => ({ dueMs: atMs, nowMs: atMs })));
    expect(clock.pending).toBe(1);
    await clock.advance(1);
    await done;
  });

  it('makes up for a time in which nothing ran, and states when each request was due', async () => {
    const { clock, sent } = start(every(1, 1000), 1000);
    await clock.advance(100);
    expect(sent).toHaveLength(101);
    clock.block(500);
    await clock.advance(1);
    // All that became due meanwhile, with the time at which it should have been sent.
    expect(sent).toHaveLength(602);
    expect(sent[350]).toEqual({ dueMs: 350, nowMs: 600 });
  });

  it('ends at once when it is aborted', async () => {
    const { clock, controller, sent, done } = start(every(10, 100), 1000);
    await clock.advance(95);
    controller.abort();
    await done;
    expect(sent).toHaveLength(10);
    expect(clock.pending).toBe(0);
  });
});
