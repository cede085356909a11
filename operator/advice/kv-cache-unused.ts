/** A KV cache that was never full by half: accelerators with less memory would do. */

import { DAY_MS } from '../usage/periods.ts';
import type { Finding } from './advice.ts';
import { lacksDays, lacksRequests } from './enough.ts';
import { daysOf, type Evidence, mostOf, sumOf } from './evidence.ts';
import { cheaperPlacement, type Need } from './placement.ts';
import type { Subject } from './subject.ts';
import { LEAST_DAYS, MARGIN, MOST_USED } from './thresholds.ts';

/** The highest share of a replica's KV cache that was in use, and how that is known. */
export interface KVCacheUse {
  share: number;
  text: string;
}

/**
 * What Prometheus saw, or an upper bound: one replica had all requests that were ever in flight at once, and each of them was
 * as long as the longest. Undefined if neither is known.
 */
export function kvCacheUse({ engine, memory }: Subject, evidence: Evidence): KVCacheUse | undefined {
  const percent = (share: number) => `${Math.ceil(share * 100)} %`;
  const { kvCachePeak } = evidence;
  if (kvCachePeak !== undefined)
    return {
      share: kvCachePeak,
      text: `at most ${percent(kvCachePeak)} of the KV cache of a replica was in use, by Prometheus`,
    };
  const longest = mostOf(evidence.hours, 'longestRequest');
  if (!memory || memory.kvCacheTokens === 0 || longest === 0) return undefined;
  const requests = Math.min(mostOf(evidence.hours, 'peakInFlight'), engine.capacity);
  const share = (requests * longest) / memory.kvCacheTokens;
  return {
    share,
    text: `at most ${requests} requests were in flight, and the longest had ${longest} tokens: together ${percent(share)} of the KV cache of a replica`,
  };
}

/** Advises cheaper accelerators, if there are any on which the model fits with what it used and a margin. */
export function kvCacheUnused(subject: Subject, evidence: Evidence): Finding {
  const { memory } = subject;
  if (!memory || memory.kvCacheTokens === 0) return undefined;
  const lacks = lacksDays(evidence, LEAST_DAYS) ?? lacksRequests(evidence, LEAST_DAYS);
  if (lacks !== undefined) return { lacks };
  const use = kvCacheUse(subject, evidence);
  if (!use) return { lacks: 'needs the length of requests, which no answer of an engine stated' };
  if (use.share > MOST_USED) return undefined;
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
