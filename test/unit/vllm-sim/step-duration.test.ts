import { expect, test } from 'vitest';
import { stepMs } from '../../../hack/vllm-sim/engine/step-duration.ts';
import { readTiming } from '../../../hack/vllm-sim/timing.ts';

const step = (sequences: number, prefillTokens = 0, env: Record<string, string> = {}) =>
  stepMs(readTiming(env), 64, { sequences, prefillTokens });

test('a step takes the time of a token, more in a full batch, and more with prompts', () => {
  expect(step(1)).toBe(12);
  expect(step(64)).toBe(24);
  expect(step(1, 100)).toBe(12 + 30 + 20);
});

test('a step grows by each sequence, and by the square of their number', () => {
  const env = { VLLM_SIM_LOAD_FACTOR: '1', VLLM_SIM_PER_SEQUENCE_MS: '0.1', VLLM_SIM_CROWDING_MS: '8' };
  expect(step(51, 0, env)).toBeCloseTo(12 + 5 + 8 * 0.51 ** 2);
  expect(step(200, 0, env)).toBeCloseTo(12 + 19.9 + 32);
});
