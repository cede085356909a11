/** How long a step of the engine takes, from what it computes. The latency model of the simulator. */
import type { SimTiming } from '../timing.ts';

/** What one step computes. */
export interface StepWork {
  /** Sequences in the step. */
  sequences: number;
  /** Prompt tokens in the step. */
  prefillTokens: number;
}

/** Sequences at which `crowdingMs` is added. */
const CROWD = 100;

/** Simulated milliseconds of a step of an engine that runs at most `maxNumSeqs` sequences. */
export function stepMs(
  timing: SimTiming,
  maxNumSeqs: number,
  { sequences, prefillTokens }: StepWork,
): number {
  const share = (sequences - 1) / Math.max(1, maxNumSeqs - 1);
  const load = 1 + (timing.loadFactor - 1) * share;
  const prefill = prefillTokens > 0 ? timing.prefillOverheadMs + prefillTokens * timing.prefillMsPerToken : 0;
  const growth = timing.perSequenceMs * (sequences - 1) + timing.crowdingMs * (sequences / CROWD) ** 2;
  return (timing.interTokenMs + prefill) * load + growth;
}
