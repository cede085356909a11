/** Results of loads with the numbers that a test is about. */
import type { LoadResult, StepResult } from '../../../../operator/bench/load-result.ts';
import { QuantileRecorder, type Quantiles } from '../../../../operator/bench/quantiles.ts';

const none = new QuantileRecorder().quantiles();

function always(value: number | undefined): Quantiles {
  if (value === undefined) return none;
  return { count: 100, mean: value, p50: value, p90: value, p95: value, p99: value, p999: value, max: value };
}

/** Numbers of a step; the times are those of all its requests. */
export type StepNumbers = Partial<Omit<StepResult, 'latencyMs' | 'firstTokenMs' | 'timePerTokenMs'>> & {
  rate: number;
  latencyMs?: number;
  firstTokenMs?: number;
  timePerTokenMs?: number;
};

/** A step of 60 s in which all requests were completed. */
export function stepResult({ latencyMs, firstTokenMs, timePerTokenMs, ...numbers }: StepNumbers): StepResult {
  const { rate } = numbers;
  const requests = Math.round(rate * 60);
  return {
    seconds: 60,
    due: requests,
    sent: requests,
    arrivalRate: rate,
    completed: requests,
    errors: {},
    errorRate: 0,
    unfinished: 0,
    cacheHits: 0,
    requestsPerSecond: rate,
    promptTokensPerSecond: 0,
    outputTokensPerSecond: 0,
    promptTokens: 0,
    outputTokens: 0,
    mostOpen: 1,
    latencyMs: always(latencyMs),
    firstTokenMs: always(firstTokenMs),
    timePerTokenMs: always(timePerTokenMs),
    interTokenMs: none,
    tokensPerSecond: none,
    coldStartMs: none,
    sendDelayMs: always(0),
    ...numbers,
  };
}

/** A result with these steps. */
export function loadResult(steps: StepResult[], change: Partial<LoadResult> = {}): LoadResult {
  return {
    kind: 'LoadResult',
    version: 1,
    startedAt: '2026-01-01T00:00:00.000Z',
    url: 'http://localhost:8000/',
    model: 'org/model',
    api: 'chat',
    arrivals: 'constant',
    workload: 'random 200+200 tokens',
    objectives: [],
    interrupted: false,
    steps,
    ...change,
  };
}
