/** When requests are due: planned in advance, whatever the answers do. */
import type { Arrivals, LoadPlan } from './load-plan.ts';

/** A part of the run in which the rate changes linearly. */
export interface Stage {
  seconds: number;
  /** Requests a second at the beginning and at the end. */
  from: number;
  to: number;
  /** Index of the step that it measures; absent if it is not measured. */
  step?: number;
}

/** Seconds of all stages. */
export function totalSeconds(stages: readonly Stage[]): number {
  return stages.reduce((sum, { seconds }) => sum + seconds, 0);
}

export interface Arrival {
  /** Milliseconds from the start of the run. */
  atMs: number;
  step?: number;
}

/** The stages of a plan: a ramp and a warm-up, and then for each rate its step, with a ramp between two. */
export function stagesOf({ rates, seconds, warmUpSeconds, rampSeconds }: LoadPlan): Stage[] {
  const [first = 0] = rates;
  const stages: Stage[] = rates.flatMap((rate, step) => [
    { seconds: rampSeconds, from: step === 0 ? 0 : (rates[step - 1] ?? 0), to: rate },
    ...(step === 0 ? [{ seconds: warmUpSeconds, from: first, to: first }] : []),
    { seconds, from: rate, to: rate, step },
  ]);
  return stages.filter((stage) => stage.seconds > 0);
}

/**
 * Arrival times in order. A random process with a changing rate is one of rate 1 whose time is stretched (time change of a
 * Poisson process), so both kinds need only the inverse of the number of requests that are due by a time.
 */
export function* arrivalTimes(
  stages: readonly Stage[],
  arrivals: Arrivals,
  random: () => number,
): Generator<Arrival> {
  const gap = arrivals === 'constant' ? () => 1 : () => -Math.log(1 - random());
  let [begin, before] = [0, 0];
  let due = arrivals === 'constant' ? 0 : gap();
  for (const { seconds, from, to, step } of stages) {
    const all = ((from + to) / 2) * seconds;
    for (; due < before + all; due += gap()) {
      const atMs = begin * 1000 + 1000 * timeOf(due - before, { seconds, from, to });
      yield step === undefined ? { atMs } : { atMs, step };
    }
    begin += seconds;
    before += all;
  }
}

/** Seconds until this many requests are due in a stage: the root of `from t + (to - from) t² / 2 seconds`. */
function timeOf(requests: number, { seconds, from, to }: Stage): number {
  if (requests === 0) return 0;
  const slope = (to - from) / seconds;
  return (2 * requests) / (from + Math.sqrt(Math.max(0, from * from + 2 * slope * requests)));
}
