/** What is advised, in terms of the API. */

export const RULES = [
  'ReplicasUnused',
  'QuietHours',
  'ContextUnused',
  'KVCacheUnused',
  'SleepCostsMore',
] as const;
export type RuleName = (typeof RULES)[number];

/** A JSON merge patch of an object. `null` removes a field. */
export interface Patch {
  kind: 'InferenceModel' | 'InferencePool';
  namespace: string;
  name: string;
  spec: Readonly<Record<string, unknown>>;
}

export interface Advice {
  rule: RuleName;
  /** What to change, as one sentence. */
  change: string;
  /** What was seen, as one sentence. */
  evidence: string;
  /** What has to be known before the change is made. */
  caution?: string;
  /** The time that the evidence covers, in milliseconds since 1970. */
  from: number;
  until: number;
  /** To apply together, in this order. */
  patches: readonly Patch[];
  saving: Saving;
}

/** What a change saves in a month of 730 hours. */
export interface Saving {
  /** Accelerator-hours that are not held any more; 0 if as many are held, or cheaper ones instead. */
  acceleratorHours: number;
  /** Money, in the currency of the pool; absent without a price. */
  money?: number;
  /** Whether a price is a hint of the catalog. */
  isEstimate: boolean;
}

/** What a rule found: advice, or which evidence it lacks. Undefined if there is nothing to say. */
export type Finding = { advice: Advice } | { lacks: string } | undefined;

/** A rule that cannot say anything yet. */
export interface Lack {
  rule: RuleName;
  /** What it needs and what there is, as the end of a sentence: `7 days of record; there are 2.0`. */
  needs: string;
}
