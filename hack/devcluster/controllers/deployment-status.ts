import type { Deployment, DeploymentStatus, ReplicaSet, WorkloadCondition } from '../kinds.ts';
import { replaced, withCondition } from './deployment-conditions.ts';
import { rolloutBounds } from './rollout-plan.ts';
import { replicasOf } from './workload.ts';

const NO_DEADLINE = 2_147_483_647;

/**
 * Status of a Deployment as the deployment controller reports it: counts, Available, Progressing and ReplicaFailure.
 * @param current the ReplicaSet of the current template
 */
export function deploymentStatus(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  all: readonly ReplicaSet[],
  now: Date,
): DeploymentStatus {
  const counts = countReplicas(deployment, current, all);
  const enough =
    (counts.availableReplicas ?? 0) >= replicasOf(deployment) - rolloutBounds(deployment).maxUnavailable;
  let conditions = withCondition(
    deployment.status?.conditions ?? [],
    enough
      ? condition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.')
      : condition(
          'Available',
          'False',
          'MinimumReplicasUnavailable',
          'Deployment does not have minimum availability.',
        ),
    now,
  );
  conditions = withProgress(deployment, current, counts, conditions, now);
  const failure = all.flatMap((set) => set.status?.conditions ?? []).find((c) => c.type === 'ReplicaFailure');
  conditions = failure
    ? withCondition(
        conditions,
        condition('ReplicaFailure', 'True', failure.reason ?? '', failure.message ?? ''),
        now,
      )
    : conditions.filter((c) => c.type !== 'ReplicaFailure');
  return { ...counts, conditions };
}

/** Milliseconds until an unfinished rollout without progress exceeds its deadline; undefined while no deadline runs. */
export function deadlineIn(deployment: Deployment, status: DeploymentStatus, now: Date): number | undefined {
  const seconds = deployment.spec.progressDeadlineSeconds ?? 600;
  const progressing = status.conditions?.find((c) => c.type === 'Progressing');
  if (seconds === NO_DEADLINE || deployment.spec.paused || progressing?.status !== 'True') return undefined;
  if (progressing.reason === 'NewReplicaSetAvailable' || isComplete(deployment, status)) return undefined;
  const since = Date.parse(progressing.lastUpdateTime ?? '');
  return Number.isNaN(since) ? undefined : Math.max(0, since + seconds * 1000 - now.getTime()) + 1000;
}

/** True when all pods are of the current template, and available. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const replicas = replicasOf(deployment);
  return (
    (status.updatedReplicas ?? 0) === replicas &&
    (status.replicas ?? 0) === replicas &&
    (status.availableReplicas ?? 0) === replicas &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

/** Zeros are left out, as the API server's types leave them out; `terminatingReplicas` is a pointer there. */
function countReplicas(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  all: readonly ReplicaSet[],
): DeploymentStatus {
  const total = (of: (status: NonNullable<ReplicaSet['status']>) => number | undefined): number =>
    all.reduce((sum, { status }) => sum + (status ? (of(status) ?? 0) : 0), 0);
  const replicas = total((s) => s.replicas);
  const availableReplicas = total((s) => s.availableReplicas);
  const counts = {
    replicas,
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: total((s) => s.readyReplicas),
    availableReplicas,
    unavailableReplicas: Math.max(0, replicas - availableReplicas),
  };
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
    terminatingReplicas: total((s) => s.terminatingReplicas),
  };
}

function withProgress(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  status: DeploymentStatus,
  conditions: WorkloadCondition[],
  now: Date,
): WorkloadCondition[] {
  const before = deployment.status ?? {};
  const progressing = conditions.find((c) => c.type === 'Progressing');
  const settled =
    (status.replicas ?? 0) === (status.updatedReplicas ?? 0) &&
    progressing?.reason === 'NewReplicaSetAvailable';
  const seconds = deployment.spec.progressDeadlineSeconds ?? 600;
  if (seconds === NO_DEADLINE || settled) return conditions;
  const name = current?.metadata.name;
  const subject = name === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${name}"`;
  if (isComplete(deployment, status)) {
    const message = `${subject} has successfully progressed.`;
    return withCondition(
      conditions,
      condition('Progressing', 'True', 'NewReplicaSetAvailable', message),
      now,
    );
  }
  const oldPods = (s: DeploymentStatus): number => (s.replicas ?? 0) - (s.updatedReplicas ?? 0);
  const progressed =
    (status.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    oldPods(status) < oldPods(before) ||
    (status.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (status.availableReplicas ?? 0) > (before.availableReplicas ?? 0);
  if (progressed) {
    const message = `${subject} is progressing.`;
    return replaced(conditions, condition('Progressing', 'True', 'ReplicaSetUpdated', message), now);
  }
  const since = Date.parse(progressing?.lastUpdateTime ?? '');
  if (!deployment.spec.paused && since + seconds * 1000 < now.getTime()) {
    const message = `${subject} has timed out progressing.`;
    return withCondition(
      conditions,
      condition('Progressing', 'False', 'ProgressDeadlineExceeded', message),
      now,
    );
  }
  return conditions;
}

function condition(type: string, status: 'True' | 'False', reason: string, message: string) {
  return { type, status, reason, message };
}
