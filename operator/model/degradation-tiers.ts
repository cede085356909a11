/** The tiers of degradation that apply to a model, and what is wrong with its own. Pure. */
import type { DegradationSettings } from '../api/degradation-settings.ts';
import type { InferenceModel, InferencePool } from '../api/types.ts';
import type { SpecIssue } from '../values/spec-issue.ts';

export type DegradationTier = DegradationSettings[number];

type Pool = Pick<InferencePool, 'spec'>;
type Model = Pick<InferenceModel, 'spec'>;

const LIMITS = ['maxTokens', 'maxPromptTokens', 'inFlightPercent'] as const;

/** Tiers of the model, else of its pool: mildest first, each with the limits of milder ones that it does not set. */
export function degradationTiers(pool: Pool, { spec }: Model): DegradationTier[] {
  const tiers = spec.admission?.degradation ?? pool.spec.admission.degradation ?? [];
  let limits: Pick<DegradationTier, (typeof LIMITS)[number]> = {};
  return tiers.map((tier) => {
    limits = { ...limits, ...only(tier) };
    return { ...tier, ...limits };
  });
}

function only(tier: DegradationTier): Partial<DegradationTier> {
  return Object.fromEntries(LIMITS.flatMap((name) => (tier[name] === undefined ? [] : [[name, tier[name]]])));
}

/** What a tier limits, for the status of a model. */
export function describeTier({ maxTokens, maxPromptTokens, inFlightPercent }: DegradationTier): string {
  const limits = [
    ...(maxTokens === undefined ? [] : [`responses have at most ${maxTokens} tokens`]),
    ...(maxPromptTokens === undefined ? [] : [`prompts of more than ${maxPromptTokens} tokens get 413`]),
    ...(inFlightPercent === undefined ? [] : [`${inFlightPercent} % of the capacity is used`]),
  ];
  return limits.join(', ');
}

/** Tiers of the model itself that are never active or limit nothing. Those of the pool are meant for other models too. */
export function checkDegradation(pool: Pool, { spec }: Model, maxModelLen: number | undefined): SpecIssue[] {
  const maxQueue = spec.admission?.maxQueue ?? pool.spec.admission.maxQueue;
  return (spec.admission?.degradation ?? []).flatMap((tier, i) => {
    const field = `spec.admission.degradation[${i}]`;
    return [
      ...neverActive(tier, field, maxQueue, spec.admission?.maxQueue === undefined ? ' of the pool' : ''),
      ...noLimit(tier, field, maxModelLen),
    ];
  });
}

function neverActive(tier: DegradationTier, field: string, maxQueue: number, whose: string): SpecIssue[] {
  const { queueAbove } = tier;
  if (queueAbove === undefined || queueAbove < maxQueue) return [];
  return [
    {
      field: `${field}.queueAbove`,
      value: queueAbove,
      reason: `the queue never exceeds it, because admission.maxQueue${whose} is ${maxQueue}`,
      remedy: `set less than ${maxQueue}, or raise spec.admission.maxQueue`,
    },
  ];
}

function noLimit(tier: DegradationTier, field: string, maxModelLen = Number.POSITIVE_INFINITY): SpecIssue[] {
  return (['maxTokens', 'maxPromptTokens'] as const).flatMap((name) => {
    const value = tier[name];
    if (value === undefined || value < maxModelLen) return [];
    const reason = `it limits nothing, because prompt and answer together have at most ${maxModelLen} tokens (engine.maxModelLen)`;
    return [{ field: `${field}.${name}`, value, reason, remedy: `set less than ${maxModelLen}` }];
  });
}
