/** Whether a model may run in its pool, and if not, why: the one pipeline of admission, for controllers and commands. Pure. */
import type { InferenceModel, InferencePool } from '../api/types.ts';
import { type Key, keyOf } from '../kube/key.ts';
import { InvalidSpecError, type SpecIssue } from '../values/spec-issue.ts';
import type { Verdict } from './acceptance.ts';
import { poolKeyOf } from './pool-key.ts';
import { INVALID_SPEC, type Resolution, type ResolvedModel, type SpecFault } from './resolved-model.ts';
import { scalingTarget } from './scaling-target.ts';
import { type ClaimModes, checkSharedClaims } from './shared-claims.ts';

type Refused = Extract<Verdict, { accepted: false }>;

/** A condition and its reason. */
export type Obstacle =
  | { condition: 'Accepted'; reason: 'PoolNotFound' | 'PoolDeleting' | Refused['reason'] | 'InvalidSpec' }
  | { condition: 'MemoryFit'; reason: 'DoesNotFit' };

/** What keeps a model from running. */
export interface Blocked {
  kind: 'blocked';
  why: Obstacle;
  issues: readonly SpecIssue[];
  /** False while waiting may help, such as for a pool that is applied a moment later. */
  needsUser: boolean;
  /** When the answer becomes another by itself, in milliseconds from now. */
  lookAgainMs?: number;
  pool: InferencePool | undefined;
  /** What the spec comes to in the pool, as far as that is known. */
  resolution: Resolution | undefined;
}

export type Assessment = { kind: 'accepted'; model: ResolvedModel } | Blocked;

/** What a model is assessed against. */
export interface Surroundings {
  pool: (key: Key) => InferencePool | undefined;
  /** A pool that is being deleted is still the pool of a model that has engines there. */
  hasEngines: (model: InferenceModel) => boolean;
  /** `resolveModel`, perhaps cached. Throws InvalidSpecError when no model can run in the pool. */
  resolve: (pool: InferencePool, model: InferenceModel) => Resolution;
  /** What the pool says beside its other models: whether it admits the namespace, names are free and the quota holds. */
  verdict: (pool: InferencePool, model: InferenceModel) => Verdict;
  /** Access modes of claims in the model's namespace. */
  claimModes: (namespace: string) => ClaimModes;
  /** Milliseconds since 1970. */
  now: number;
}

/** A pool that does not exist is waited for this long before a user has to do something: GitOps applies both in any order. */
const POOL_GRACE_MS = 60_000;
/** Shortest wait for it. */
const SHORTEST_WAIT_MS = 1_000;

/**
 * In this order: the pool exists, stays and is valid; it admits the namespace, the names are free and the quota holds; the
 * engine resolves, claims can be shared and schedules are real; the memory fits. The first that fails gives the reason; of a
 * spec that the pool does not refuse, all issues are named.
 */
export function assess(model: InferenceModel, surroundings: Surroundings): Assessment {
  const pool = surroundings.pool(poolKeyOf(model));
  if (!pool) return poolNotFound(model, surroundings.now);
  if (pool.metadata.deletionTimestamp !== undefined && !surroundings.hasEngines(model))
    return blocked(notAccepted('PoolDeleting'), [poolDeleting(pool)], { pool });
  let resolution: Resolution;
  let verdict: Verdict;
  try {
    resolution = surroundings.resolve(pool, model);
    verdict = surroundings.verdict(pool, model);
  } catch (error) {
    if (!(error instanceof InvalidSpecError)) throw error;
    return blocked(notAccepted('InvalidSpec'), error.issues, { pool });
  }
  if (!verdict.accepted) return blocked(notAccepted(verdict.reason), [verdict.issue], { pool, resolution });
  const claims = surroundings.claimModes(model.metadata.namespace ?? '');
  const fault = withClaims(resolution.fault, checkSharedClaims(model.spec, resolution.scaling, claims));
  if (fault) return blocked(fault.why, fault.issues, { pool, resolution });
  return accepted(pool, model, resolution);
}

function accepted(pool: InferencePool, model: InferenceModel, resolution: Resolution): Assessment {
  const { engine } = resolution;
  if (!engine) throw new TypeError('a spec without a fault has an engine');
  const target = scalingTarget(resolution.scaling, engine);
  return { kind: 'accepted', model: { ...resolution, pool, model, engine, target } };
}

/** The issues of claims, of which some were found without the cluster, beside the others. */
function withClaims(fault: SpecFault | undefined, claims: readonly SpecIssue[]): SpecFault | undefined {
  const known = fault?.issues ?? [];
  const more = claims.filter(
    (issue) => !known.some(({ field, reason }) => field === issue.field && reason === issue.reason),
  );
  if (more.length === 0) return fault;
  return { why: INVALID_SPEC, issues: [...more, ...known] };
}

function blocked(
  why: Obstacle,
  issues: readonly SpecIssue[],
  { pool, resolution }: { pool?: InferencePool; resolution?: Resolution } = {},
): Blocked {
  return { kind: 'blocked', why, issues, needsUser: true, pool, resolution };
}

function notAccepted(reason: Extract<Obstacle, { condition: 'Accepted' }>['reason']): Obstacle {
  return { condition: 'Accepted', reason };
}

function poolNotFound(model: InferenceModel, now: number): Blocked {
  const { creationTimestamp } = model.metadata;
  const age = creationTimestamp === undefined ? 0 : now - Date.parse(creationTimestamp);
  const needsUser = age >= POOL_GRACE_MS;
  const issue = {
    field: 'spec.poolRef',
    value: undefined,
    reason: `there is no InferencePool ${poolKeyOf(model)}`,
    remedy: 'create it or name another',
  };
  const lookAgainMs = Math.max(SHORTEST_WAIT_MS, POOL_GRACE_MS - age);
  const found = blocked(notAccepted('PoolNotFound'), [issue]);
  return needsUser ? found : { ...found, needsUser, lookAgainMs };
}

function poolDeleting(pool: InferencePool): SpecIssue {
  return {
    field: 'spec.poolRef',
    value: undefined,
    reason: `InferencePool ${keyOf(pool)} is being deleted`,
    remedy: 'name another',
  };
}
