/**
 * Decides whether a model may run in its pool, and if not, why. The single admission pipeline of controllers and commands.
 * Pure.
 */
import type { InferenceModel, InferencePool } from '../api/types.ts';
import { type Key, keyOf } from '../kube/key.ts';
import { InvalidSpecError, type SpecIssue } from '../values/spec-issue.ts';
import { poolKeyOf } from './pool-key.ts';
import { INVALID_SPEC, type Resolution, type ResolvedModel, type SpecFault } from './resolved-model.ts';
import { scalingTarget } from './scaling-target.ts';
import { type ClaimModes, checkSharedClaims } from './shared-claims.ts';
import type { Verdict } from './verdict.ts';

type Refused = Extract<Verdict, { accepted: false }>;

/** A condition and its reason. */
export type Obstacle =
  | { condition: 'Accepted'; reason: 'PoolNotFound' | 'PoolDeleting' | Refused['reason'] | 'InvalidSpec' }
  | { condition: 'MemoryFit'; reason: 'DoesNotFit' };

/** Why a model may not run. */
export interface Blocked {
  kind: 'blocked';
  why: Obstacle;
  issues: readonly SpecIssue[];
  /** False if waiting may help, for example until the pool has been created. */
  needsUser: boolean;
  /** Delay after which the result can change although nothing else does, in milliseconds. */
  requeueAfterMs?: number;
  pool: InferencePool | undefined;
  /** The resolved spec, as far as it is known. */
  resolution: Resolution | undefined;
}

export type Assessment = { kind: 'accepted'; model: ResolvedModel } | Blocked;

/** What a model is assessed against. */
export interface Surroundings {
  pool: (key: Key) => InferencePool | undefined;
  /** Whether the model has engines. If so, a pool that is being deleted still serves it. */
  hasEngines: (model: InferenceModel) => boolean;
  /** `resolveModel`, possibly cached. Throws InvalidSpecError if no model can run in the pool. */
  resolve: (pool: InferencePool, model: InferenceModel) => Resolution;
  /** The verdict of the pool given its other models: namespace allowed, names free, quota not exceeded. */
  verdict: (pool: InferencePool, model: InferenceModel) => Verdict;
  /** Access modes of claims in the model's namespace. */
  claimModes: (namespace: string) => ClaimModes;
  /** Milliseconds since 1970. */
  now: number;
}

/** How long a missing pool counts as not created yet. GitOps tools apply pools and models in any order. */
const POOL_GRACE_MS = 60_000;
/** Shortest delay before the next check. */
const SHORTEST_WAIT_MS = 1_000;

/**
 * Checks in this order: the pool exists, is not being deleted and is valid; it allows the namespace, the names are free and
 * the quota is not exceeded; the engine resolves, claims can be shared and schedules are valid; the memory fits. The first
 * failure gives the reason. If the pool accepts the model, the result lists all issues of the spec.
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
  const target = scalingTarget(resolution.scaling, engine, pool, model);
  return { kind: 'accepted', model: { ...resolution, pool, model, engine, target } };
}

/** Adds the issues of claims to the others. Some of them were already found without the cluster. */
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
    reason: `InferencePool ${poolKeyOf(model)} does not exist`,
    remedy: 'create it, or set another pool',
  };
  const requeueAfterMs = Math.max(SHORTEST_WAIT_MS, POOL_GRACE_MS - age);
  const found = blocked(notAccepted('PoolNotFound'), [issue]);
  return needsUser ? found : { ...found, needsUser, requeueAfterMs };
}

function poolDeleting(pool: InferencePool): SpecIssue {
  return {
    field: 'spec.poolRef',
    value: undefined,
    reason: `InferencePool ${keyOf(pool)} is being deleted`,
    remedy: 'set another pool',
  };
}
