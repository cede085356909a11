import { expect, it } from 'vitest';
import type { Outcome } from '../../../operator/bench/http-target.ts';
import { StepRecorder } from '../../../operator/bench/step-recorder.ts';

const answered = (endMs: number, outputTokens: number): Outcome => ({
  endMs,
  usage: { promptTokens: 10, outputTokens },
  coldStart: false,
  cacheHit: false,
});

it('throughput is what was completed in the time of the step, latency is of the requests that were due in it', () => {
  const step = new StepRecorder(2, 1000, 10);
  // Due before the step, completed in it.
  step.served(answered(1500, 40));
  step.sent(2000, 2000, 1);
  step.served(answered(3000, 60));
  step.ended(2000, answered(3000, 60));
  // An overloaded server answers long after the step.
  step.sent(9000, 9000, 1);
  step.served(answered(60_000, 80));
  step.ended(9000, answered(60_000, 80));
  const result = step.result(10);
  expect(result).toMatchObject({ requestsPerSecond: 0.2, outputTokensPerSecond: 10, completed: 2 });
  expect(result).toMatchObject({ outputTokens: 70, promptTokens: 10 });
  expect(result.latencyMs).toMatchObject({ count: 2, max: expect.closeTo(51_000, -2) });
});

it('times count from when a request was due, however late it was sent', () => {
  const step = new StepRecorder(1, 0, 10);
  step.sent(100, 600, 1);
  step.ended(100, { ...answered(1100, 11), firstTokenMs: 700, lastTokenMs: 1100 });
  const { latencyMs, firstTokenMs, timePerTokenMs, tokensPerSecond, sendDelayMs } = step.result(10);
  expect(latencyMs.max).toBeCloseTo(1000, -1);
  expect(firstTokenMs.max).toBeCloseTo(600, -1);
  expect(timePerTokenMs.max).toBeCloseTo(40, 0);
  expect(tokensPerSecond.max).toBeCloseTo(25, 0);
  expect(sendDelayMs.max).toBeCloseTo(500, -1);
});

it('keeps cold starts apart, and the list of failures short', () => {
  const step = new StepRecorder(1, 0, 10);
  step.sent(0, 0, 1);
  step.ended(0, { ...answered(90_000, 11), coldStart: true });
  for (let n = 0; n < 100; n++) {
    step.sent(0, 0, 1);
    step.ended(0, { ...answered(1, 0), failure: `status-${n}` });
  }
  const { latencyMs, coldStartMs, errors, errorRate, unfinished } = step.result(10);
  expect(latencyMs.count).toBe(0);
  expect(coldStartMs).toMatchObject({ count: 1, max: expect.closeTo(90_000, -3) });
  expect(Object.keys(errors)).toHaveLength(33);
  expect(errors.other).toBe(68);
  expect(errorRate).toBeCloseTo(100 / 101);
  expect(unfinished).toBe(0);
});
