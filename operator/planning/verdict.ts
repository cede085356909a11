/** Whether predicted latency meets the targets of a load. */
import { durationSeconds } from '../values/units.ts';
import type { Load } from './load.ts';
import type { Performance } from './performance.ts';

/** `close`: the prediction meets the targets, but by less than the margin. */
export type Verdict = 'meets' | 'close' | 'misses';

/** Latency as users see it, in milliseconds. */
export interface Latency {
  firstTokenP99Ms: number;
  timePerTokenMs: number;
  latencyP99Ms: number;
}

const FIELDS = [
  ['firstTokenP99', 'firstTokenP99Ms', 'p99 of the first token'],
  ['timePerToken', 'timePerTokenMs', 'time per token'],
  ['latencyP99', 'latencyP99Ms', 'p99 of the whole request'],
] as const;

/** Latency of a replica, with what router and network add to a prediction. */
export function latencyOf(performance: Performance, load: Load): Latency {
  const added = performance.isMeasured ? 0 : durationSeconds(load.addedLatency);
  return {
    firstTokenP99Ms: (performance.firstTokenSecondsP99 + added) * 1e3,
    timePerTokenMs: performance.tokenSeconds * 1e3,
    latencyP99Ms: (performance.requestSecondsP99 + added) * 1e3,
  };
}

/** The largest share of a target that latency takes; 0 without targets. */
export function usedShare(latency: Latency, { targets }: Load): number {
  const used = FIELDS.map(([target, predicted]) => {
    const text = targets[target];
    return text === undefined ? 0 : latency[predicted] / (durationSeconds(text) * 1e3);
  });
  return Math.max(...used);
}

/** Judges latency; `margin` is the share of each target that has to stay free. */
export function judge(latency: Latency, load: Load, margin: number): Verdict {
  const used = usedShare(latency, load);
  if (used <= 1 - margin) return 'meets';
  return used <= 1 ? 'close' : 'misses';
}

/** Each target that is not met, with the nearest that is possible. */
export function missedTargets(best: Latency, { targets }: Load): string[] {
  return FIELDS.flatMap(([target, predicted, name]) => {
    const text = targets[target];
    if (text === undefined || best[predicted] <= durationSeconds(text) * 1e3) return [];
    return [`${name} is at least ${milliseconds(best[predicted])}, and the target is ${text}`];
  });
}

/** A time for users, with two digits that mean something. */
export function milliseconds(value: number): string {
  if (!Number.isFinite(value)) return 'without end';
  if (value >= 1000) return `${(value / 1000).toFixed(value >= 10_000 ? 1 : 2)} s`;
  return `${value >= 100 ? Math.round(value) : value.toFixed(1)} ms`;
}
