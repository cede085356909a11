/** A KV cache of which never more than half was used: accelerators with less memory would do. */
import { DAY_MS } from '../usage/periods.ts';
import type { Finding } from './advice.ts';
import { lacksDays, lacksRequests } from './enough.ts';
import { daysOf, type Evidence, mostOf, sumOf } from './evidence.ts';
import { cheaperPlacement, type Need } from './placement.ts';
import type { Subject } from './subject.ts';
import { MARGIN, MAX_USED, MIN_DAYS } from './thresholds.ts';

/** The highest share of a replica's KV cache that was in use, and how that is known. */
export interface KVCacheUse {
  share: number;
  text: string;
}

/**
 * An upper bound: one replica had all requests of the highest demand that the operator saw, as far as it takes them, and each
 * of them was as long as the longest. Undefined if that is not known.
 */
export function kvCacheUse({ engine, memory }: Subject, evidence: Evidence): KVCacheUse | undefined {
  const longest = mostOf(evidence.hours, 'longestRequest');
  if (!memory || memory.kvCacheTokens === 0 || longest === 0) return undefined;
  const requests = Math.min(mostOf(evidence.hours, 'peakInFlight'), engine.capacity);
  const share = (requests * longest) / memory.kvCacheTokens;
  return {
    share,
    text: `the operator saw at most ${requests} requests that one replica can have at once, and the longest had ${longest} tokens: together ${Math.ceil(share * 100)} % of the KV cache of a replica`,
  };
}

/** Advises cheaper accelerators, if there are any on which the model fits with what it used and a margin. */
export function kvCacheUnused(subject: Subject, evidence: Evidence): Finding {
  const { memory } = subject;
  if (!memory || memory.kvCacheTokens === 0) return undefined;
  const lacks = lacksDays(evidence, MIN_DAYS) ?? lacksRequests(evidence, MIN_DAYS);
  if (lacks !== undefined) return { lacks };
  const use = kvCacheUse(subject, evidence);
  if (!use) return { lacks: 'the length of requests, which no answer of an engine stated' };
  if (use.share > MAX_USED) return undefined;
  const placement = cheaperPlacement(subject, needOf(subject, evidence, use.share * memory.kvCacheTokens));
  if (!placement) return undefined;
  const { type, place, patch, slowdown, saving } = placement;
  return {
    advice: {
      rule: 'KVCacheUnused',
      change: `use ${type} in ${place}`,
      evidence: use.text,
      caution: slowdownText(slowdown),
      from: evidence.from,
      until: evidence.until,
      patches: [patch],
      saving,
    },
  };
}

/** What a replica has to do elsewhere, with a margin for the tokens that were in its KV cache. */
export function needOf({ engine }: Subject, evidence: Evidence, usedTokens: number): Need {
  return {
    requests: Math.min(mostOf(evidence.hours, 'peakInFlight'), engine.capacity),
    kvCacheTokens: usedTokens * MARGIN,
    replicas: sumOf(evidence.hours, 'readyMs') / (daysOf(evidence) * DAY_MS),
  };
}

export function slowdownText(slowdown: number): string {
  return slowdown === 1
    ? 'by peak figures it is not slower; measure it with vllm-operator bench'
    : `by peak figures tokens take up to ${slowdown.toFixed(1)} times as long; measure it with vllm-operator bench`;
}
