/** A load on an engine with the latency model of the simulator, in simulated time: every request has the same lengths. */
import { stepMs } from '../../../../hack/vllm-sim/engine/step-duration.ts';
import type { SimSettings } from '../../../../hack/vllm-sim/settings.ts';
import type { StepResult } from '../../../../operator/bench/load-result.ts';
import type { Objective } from '../../../../operator/bench/objective.ts';

export interface SimulatedLoad {
  rate: number;
  seconds: number;
  warmUpSeconds: number;
  promptTokens: number;
  outputTokens: number;
  objectives: readonly Objective[];
  /** Random times between requests if given, else always the same time. */
  random?: () => number;
}

type Engine = Pick<SimSettings, 'timing' | 'maxNumSeqs' | 'maxNumBatchedTokens' | 'numBlocks' | 'blockSize'>;

interface Request {
  at: number;
  first: number;
  /** Prompt tokens that are not computed. */
  left: number;
}

/** Requests that take longer have failed. */
const TIMEOUT_MS = 60_000;

export function simulatedLoad(engine: Engine, load: SimulatedLoad): StepResult {
  const endMs = (load.warmUpSeconds + load.seconds) * 1000;
  const arrivals = arrivalTimes(load, endMs);
  const times: { at: number; first: number; end: number }[] = [];
  const perSequence = Math.ceil((load.promptTokens + load.outputTokens) / engine.blockSize);
  const atOnce = Math.min(engine.maxNumSeqs, Math.floor(engine.numBlocks / perSequence));
  /** By the step that gives them their last token. */
  const ending = new Map<number, Request[]>();
  let prefilling: Request[] = [];
  let [now, step, next, decoding] = [0, 0, 0, 0];
  while (now < endMs + TIMEOUT_MS && (next < arrivals.length || decoding + prefilling.length > 0)) {
    if (decoding + prefilling.length === 0) now = Math.max(now, arrivals[next] ?? now);
    let budget = engine.maxNumBatchedTokens - decoding;
    while (decoding + prefilling.length < atOnce && (arrivals[next] ?? Number.POSITIVE_INFINITY) <= now) {
      if (budget - prefilling.reduce((sum, { left }) => sum + left, 0) <= 0) break;
      prefilling.push({ at: arrivals[next] ?? 0, first: 0, left: load.promptTokens });
      next += 1;
    }
    let prefillTokens = 0;
    let sequences = decoding;
    for (const request of prefilling) {
      const tokens = Math.min(request.left, budget);
      request.left -= tokens;
      budget -= tokens;
      prefillTokens += tokens;
      sequences += tokens > 0 ? 1 : 0;
    }
    now += stepMs(engine.timing, engine.maxNumSeqs, { sequences, prefillTokens });
    for (const request of prefilling.filter(({ left }) => left === 0)) {
      request.first = now;
      decoding += 1;
      const last = step + load.outputTokens - 1;
      ending.set(last, [...(ending.get(last) ?? []), request]);
    }
    prefilling = prefilling.filter(({ left }) => left > 0);
    for (const { at, first } of ending.get(step) ?? []) {
      decoding -= 1;
      times.push({ at, first, end: now });
    }
    ending.delete(step);
    step += 1;
  }
  return resultOf(load, arrivals, times);
}

function arrivalTimes({ rate, random }: SimulatedLoad, endMs: number): number[] {
  const gapMs = 1000 / rate;
  const arrivals: number[] = [];
  for (let at = 0; at < endMs; at += random ? -Math.log(1 - random()) * gapMs : gapMs) arrivals.push(at);
  return arrivals;
}

function resultOf(
  load: SimulatedLoad,
  arrivals: readonly number[],
  times: readonly { at: number; first: number; end: number }[],
): StepResult {
  const isMeasured = (at: number) => at >= load.warmUpSeconds * 1000;
  const due = arrivals.filter(isMeasured).length;
  const ended = times.filter(({ at, end }) => isMeasured(at) && end - at <= TIMEOUT_MS);
  const completed = ended.length;
  const latencyMs = quantiles(ended.map(({ at, end }) => end - at));
  const firstTokenMs = quantiles(ended.map(({ at, first }) => first - at));
  const timePerTokenMs = quantiles(ended.map(({ first, end }) => (end - first) / (load.outputTokens - 1)));
  const values = { latency: latencyMs, 'first-token': firstTokenMs, 'time-per-token': timePerTokenMs };
  const errorRate = due === 0 ? 0 : (due - completed) / due;
  const isMet = ({ measure, percentile, ms }: Objective) => values[measure][percentile] <= ms;
  const perSecond = completed / load.seconds;
  return {
    rate: load.rate,
    seconds: load.seconds,
    due,
    sent: due,
    arrivalRate: load.rate,
    completed,
    errors: completed < due ? { timeout: due - completed } : {},
    errorRate,
    unfinished: 0,
    cacheHits: 0,
    requestsPerSecond: perSecond,
    promptTokensPerSecond: perSecond * load.promptTokens,
    outputTokensPerSecond: perSecond * load.outputTokens,
    promptTokens: load.promptTokens,
    outputTokens: load.outputTokens,
    mostOpen: 0,
    latencyMs,
    firstTokenMs,
    timePerTokenMs,
    interTokenMs: timePerTokenMs,
    tokensPerSecond: quantiles([]),
    coldStartMs: quantiles([]),
    sendDelayMs: quantiles([]),
    meetsObjectives: completed > 0 && errorRate <= 0.01 && load.objectives.every(isMet),
  };
}

function quantiles(values: readonly number[]): StepResult['latencyMs'] {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  const mean = values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    count: values.length,
    mean,
    p50: at(0.5),
    p90: at(0.9),
    p95: at(0.95),
    p99: at(0.99),
    p999: at(0.999),
    max: at(1),
  };
}
