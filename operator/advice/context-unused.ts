/** A context that is longer than any request. */
import type { Finding, Patch, Saving } from './advice.ts';
import { lacksRequests } from './enough.ts';
import { type Evidence, mostOf } from './evidence.ts';
import { kvCacheUse, needOf, slowdownText } from './kv-cache-unused.ts';
import { cheaperPlacement, type Placement } from './placement.ts';
import { modelPatch, type Subject } from './subject.ts';
import { MARGIN, MAX_USED, MIN_DAYS } from './thresholds.ts';

/** Lengths are whole numbers of these tokens. */
const STEP = 1_024;

const NO_SAVING: Saving = { acceleratorHours: 0, money: 0, isEstimate: false };

/**
 * Advises a shorter maxModelLen. vLLM takes memory for tokens that exist, so this alone saves nothing; it saves money where
 * the model then fits on cheaper accelerators. `mayMove`: whether such accelerators may be looked for.
 */
export function contextUnused(subject: Subject, evidence: Evidence, mayMove: boolean): Finding {
  const { engine, memory } = subject;
  const length = memory?.maxModelLen ?? engine.maxModelLen;
  if (length === undefined) return undefined;
  const lacks = lacksRequests(evidence, MIN_DAYS);
  if (lacks !== undefined) return { lacks };
  const longest = mostOf(evidence.hours, 'longestRequest');
  if (longest === 0) return { lacks: 'the length of requests, which no answer of an engine stated' };
  const enough = Math.ceil((longest * MARGIN) / STEP) * STEP;
  if (enough > length * MAX_USED) return undefined;
  const placement = mayMove ? placementWith(subject, evidence, enough) : undefined;
  return {
    advice: {
      rule: 'ContextUnused',
      change: `lower maxModelLen from ${length} to ${enough}${placement ? `: it then fits on ${placement.type} in ${placement.place}` : ''}`,
      evidence: `the longest request had ${longest} tokens, prompt and output`,
      caution: `requests of more tokens get 400, including their max_tokens${placement ? `; ${slowdownText(placement.slowdown)}` : ''}`,
      from: evidence.from,
      until: evidence.until,
      patches: patchesOf(subject, enough, placement),
      saving: placement?.saving ?? NO_SAVING,
    },
  };
}

function placementWith(subject: Subject, evidence: Evidence, maxModelLen: number): Placement | undefined {
  const { memory } = subject;
  const use = kvCacheUse(subject, evidence);
  if (!memory || !use) return undefined;
  return cheaperPlacement(subject, {
    ...needOf(subject, evidence, use.share * memory.kvCacheTokens),
    maxModelLen,
  });
}

function patchesOf(subject: Subject, maxModelLen: number, placement: Placement | undefined): Patch[] {
  const engine = { maxModelLen };
  if (placement?.patch.kind === 'InferenceModel')
    return [modelPatch(subject, { engine, ...placement.patch.spec })];
  return [modelPatch(subject, { engine }), ...(placement ? [placement.patch] : [])];
}
