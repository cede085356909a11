/** Plans against those of a program that was written apart from this one for the same formula. */
import { expect, it } from 'vitest';
import { parseLoad } from '../../../operator/planning/load.ts';
import { planLoad } from '../../../operator/planning/plan-load.ts';

/** Replicas, milliseconds per token, p99 of the first token in milliseconds, requests per second of a replica at most. */
it.each([
  ['Llama-3.1-8B-FP8', 'L40S', 1, 1000, 300, 5, [1, 26.5, 140, 7.68]],
  ['Llama-3.1-8B-FP8', 'H100', 1, 1000, 300, 5, [1, 5.2, 43, 24.29]],
  ['Llama-3.1-70B-FP8', 'H100', 2, 1000, 300, 5, [1, 38.4, 274, 7.3]],
  ['Llama-3.1-70B-FP8', 'H100', 4, 1000, 300, 5, [1, 17.6, 142, 11.56]],
  ['Llama-3.1-70B-FP8', 'H200', 1, 1000, 300, 5, [2, 36.5, 419, 4.66]],
  ['Qwen3-32B', 'A100', 2, 2000, 500, 3, [3, 45, 1269, 1.66]],
  ['Llama-3.1-405B-FP8', 'H200', 8, 1000, 300, 3, [1, 50.1, 496, 4.48]],
] as const)(
  '%s on %s x %d',
  (name, product, ranks, promptTokens, outputTokens, requestsPerSecond, expected) => {
    const load = {
      model: `hf://any/${name}`,
      requestsPerSecond,
      promptTokens,
      outputTokens,
      accelerators: [product],
      engine: { tensorParallelSize: ranks },
    };
    const [option] = planLoad(parseLoad(load)).options;
    if (option === undefined) throw new Error('no option');
    const { replicas, predicted } = option;
    const [count, perToken, firstTokenP99, capacity] = expected;
    expect(replicas).toBe(count);
    expect(Math.abs(predicted.timePerTokenMs / perToken - 1)).toBeLessThan(0.02);
    expect(Math.abs(predicted.firstTokenP99Ms / firstTokenP99 - 1)).toBeLessThan(0.02);
    // The memory plan of the operator leaves less room for the KV cache than the other program does.
    expect(Math.abs(predicted.capacityRequestsPerSecond / replicas / capacity - 1)).toBeLessThan(0.05);
  },
);
