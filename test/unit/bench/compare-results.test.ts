import { expect, it } from 'vitest';
import { compareResults } from '../../../operator/bench/compare-results.ts';
import { loadResult, stepResult } from './support/load-result.ts';

it('relates each rate that both have, the most throughput, and the highest rate under the objectives', () => {
  const fast = loadResult([
    stepResult({ rate: 1, requestsPerSecond: 1, outputTokensPerSecond: 200, latencyMs: 100 }),
    stepResult({ rate: 20, requestsPerSecond: 19, outputTokensPerSecond: 3800, meetsObjectives: true }),
  ]);
  const slow = loadResult([
    stepResult({
      rate: 1,
      requestsPerSecond: 1,
      outputTokensPerSecond: 200,
      latencyMs: 400,
      meetsObjectives: true,
    }),
    stepResult({ rate: 2, requestsPerSecond: 1.25, outputTokensPerSecond: 250 }),
  ]);
  expect(compareResults(fast, slow)).toEqual({
    steps: [
      {
        rate: 1,
        requestsPerSecond: 1,
        outputTokensPerSecond: 1,
        latencyP50: 0.25,
        latencyP95: 0.25,
      },
    ],
    mostRequestsPerSecond: 15.2,
    mostOutputTokensPerSecond: 15.2,
    highestRate: 20,
  });
});

it('says nothing of what one of them does not have', () => {
  const none = loadResult([stepResult({ rate: 1, requestsPerSecond: 0 })]);
  expect(compareResults(loadResult([stepResult({ rate: 1, requestsPerSecond: 5 })]), none)).toEqual({
    steps: [{ rate: 1 }],
  });
});
