import type { Deployment, ReplicaSet } from '../kinds.ts';
import { MAX_REPLICAS, replicasOf } from './workload.ts';

/** New sizes of ReplicaSets, by name; those not in it stay. */
export type RolloutPlan = Map<string, number>;

/** `maxSurge` and `maxUnavailable` as numbers of pods; never both zero. */
export function rolloutBounds(deployment: Deployment): { maxSurge: number; maxUnavailable: number } {
  const replicas = replicasOf(deployment);
  const { rollingUpdate, type } = deployment.spec.strategy ?? {};
  if (type === 'Recreate' || replicas === 0) return { maxSurge: 0, maxUnavailable: 0 };
  const maxSurge = resolve(rollingUpdate?.maxSurge ?? '25%', replicas, Math.ceil);
  const maxUnavailable = resolve(rollingUpdate?.maxUnavailable ?? '25%', replicas, Math.floor);
  return {
    maxSurge,
    maxUnavailable: maxSurge === 0 && maxUnavailable === 0 ? 1 : Math.min(maxUnavailable, replicas),
  };
}

/** Size that the ReplicaSet of the current template may have now. Of one that is about to be created, `current` is 0. */
export function newReplicaSetSize(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  current: number,
): number {
  const replicas = replicasOf(deployment);
  if (deployment.spec.strategy?.type === 'Recreate' || current >= replicas) return replicas;
  const total = sum(all, replicasOf);
  const room = replicas + rolloutBounds(deployment).maxSurge - total;
  return room <= 0 ? current : current + Math.min(room, replicas - current);
}

/**
 * The next step of a rolling update: first the new ReplicaSet grows as far as `maxSurge` allows; else the old ones
 * shrink as far as `maxUnavailable` allows, pods that are not available first.
 */
export function planRollingUpdate(
  deployment: Deployment,
  current: ReplicaSet,
  old: readonly ReplicaSet[],
): RolloutPlan {
  const all = [...old, current];
  const size = newReplicaSetSize(deployment, all, replicasOf(current));
  if (size !== replicasOf(current)) return new Map([[current.metadata.name, size]]);

  const plan: RolloutPlan = new Map();
  if (sum(old, replicasOf) === 0) return plan;
  const minAvailable = replicasOf(deployment) - rolloutBounds(deployment).maxUnavailable;
  const newUnavailable = replicasOf(current) - available(current);
  const maxScaledDown = sum(all, replicasOf) - minAvailable - newUnavailable;
  if (maxScaledDown <= 0) return plan;

  const oldest = [...old].sort(byAge);
  const sizes = new Map(oldest.map((set) => [set.metadata.name, replicasOf(set)]));
  const shrink = (set: ReplicaSet, by: number): void => {
    sizes.set(set.metadata.name, (sizes.get(set.metadata.name) ?? 0) - by);
  };
  let cleanups = maxScaledDown;
  for (const set of oldest) {
    const unhealthy = Math.min(cleanups, Math.max(0, replicasOf(set) - available(set)));
    shrink(set, unhealthy);
    cleanups -= unhealthy;
  }
  let surplus = sum(all, available) - minAvailable;
  for (const set of oldest) {
    const count = Math.min(Math.max(0, surplus), sizes.get(set.metadata.name) ?? 0);
    shrink(set, count);
    surplus -= count;
  }
  for (const set of oldest) {
    const wanted = sizes.get(set.metadata.name) ?? 0;
    if (wanted !== replicasOf(set)) plan.set(set.metadata.name, wanted);
  }
  return plan;
}

/**
 * Sizes after `spec.replicas` of the Deployment was changed: all of it to the only active ReplicaSet; in the middle of
 * a rollout each active one in proportion, what rounding leaves to the largest.
 */
export function planScaling(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): RolloutPlan {
  const replicas = replicasOf(deployment);
  const all = [...old, ...(current ? [current] : [])];
  const active = all.filter((set) => replicasOf(set) > 0);
  const [only] = active.length === 0 ? [current ?? [...old].sort(byAge).at(-1)] : active;
  if (active.length <= 1) return only ? new Map([[only.metadata.name, replicas]]) : new Map();
  if (current && replicasOf(current) === replicas && available(current) === replicas) {
    return new Map(old.filter((set) => replicasOf(set) > 0).map((set) => [set.metadata.name, 0]));
  }
  if (deployment.spec.strategy?.type === 'Recreate') return new Map();
  const allowed = replicas === 0 ? 0 : replicas + rolloutBounds(deployment).maxSurge;
  const total = sum(active, replicasOf);
  let left = allowed - total;
  const plan: RolloutPlan = new Map();
  const largest = [...active].sort((a, b) => replicasOf(b) - replicasOf(a) || -byAge(a, b));
  for (const set of largest) {
    const size = replicasOf(set);
    const before = Number(set.metadata.annotations?.[MAX_REPLICAS] ?? total) || total;
    const share = Math.round((size * allowed) / before) - size;
    const step = left > 0 ? Math.min(Math.max(share, 0), left) : Math.max(Math.min(share, 0), left);
    plan.set(set.metadata.name, size + step);
    left -= step;
  }
  const [first] = largest;
  if (first) plan.set(first.metadata.name, Math.max(0, (plan.get(first.metadata.name) ?? 0) + left));
  return plan;
}

function resolve(value: number | string, replicas: number, round: (n: number) => number): number {
  return typeof value === 'number' ? value : round((Number.parseFloat(value) / 100) * replicas);
}

function available(set: ReplicaSet): number {
  return set.status?.availableReplicas ?? 0;
}

function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const created = (set: ReplicaSet): string => set.metadata.creationTimestamp ?? '';
  return created(a).localeCompare(created(b)) || a.metadata.name.localeCompare(b.metadata.name);
}

function sum(sets: readonly ReplicaSet[], of: (set: ReplicaSet) => number): number {
  return sets.reduce((total, set) => total + of(set), 0);
}
