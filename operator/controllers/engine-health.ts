/** What the Deployment and pods of a model say about it, in words that a user can act on. Pure. */
import type { Deployment, Pod } from './workloads.ts';
import { isFinished, isReady, isReleased } from './workloads.ts';

/** Why engines do not become ready. Messages carry no pod names, so that they stay the same while pods come and go. */
export interface EngineProblem {
  reason:
    | 'Unschedulable'
    | 'ImagePullFailed'
    | 'ContainerConfigError'
    | 'EngineCrashed'
    | 'PodsRefused'
    | 'ProgressDeadlineExceeded';
  message: string;
  /** True when waiting will not help: a user has to change something. */
  needsUser: boolean;
}

export interface EngineHealth {
  /** `spec.replicas` of the Deployment. */
  desired: number;
  /** Pods that exist, the ones being stopped included, because they hold accelerators. */
  pods: number;
  ready: number;
  /** A rollout is under way: not every pod has the present template yet. */
  rolling: boolean;
  problem?: EngineProblem;
}

const IMAGE_REASONS = new Set(['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull']);
const CONFIG_REASONS = new Set(['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError']);

/** Reads a Deployment and its pods; an absent Deployment counts as one with nothing running. */
export function engineHealth(deployment: Deployment | undefined, pods: readonly Pod[]): EngineHealth {
  const desired = deployment ? (deployment.spec.replicas ?? 1) : 0;
  const status = deployment?.status ?? {};
  const observed =
    deployment !== undefined && (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0);
  // Before the controller has seen the spec, another number of replicas tells of scaling, and the same one of another template.
  const { replicas = 0, updatedReplicas = 0 } = status;
  const rolling = deployment !== undefined && (observed ? replicas > updatedReplicas : replicas === desired);
  const problem = deployment && desired > 0 ? findProblem(deployment, pods, observed) : undefined;
  return {
    desired,
    pods: pods.filter((pod) => !isFinished(pod)).length,
    ready: pods.filter(isReady).length,
    rolling,
    ...(problem && { problem }),
  };
}

/** Conditions of the Deployment count once its controller has seen the present spec: before, they tell of the last start. */
function findProblem(
  deployment: Deployment,
  pods: readonly Pod[],
  observed: boolean,
): EngineProblem | undefined {
  for (const pod of pods) {
    if (pod.metadata.deletionTimestamp !== undefined || isReleased(pod) || isReady(pod)) continue;
    const found = podProblem(deployment, pod);
    if (found) return found;
  }
  if (!observed) return undefined;
  const refused = deployment.status?.conditions?.find(
    (c) => c.type === 'ReplicaFailure' && c.status === 'True',
  );
  if (refused) {
    return {
      reason: 'PodsRefused',
      message: `Kubernetes refuses to create the pods: ${refused.message ?? refused.reason ?? 'no reason given'}`,
      needsUser: true,
    };
  }
  const stuck = deployment.status?.conditions?.find(
    (c) => c.type === 'Progressing' && c.reason === 'ProgressDeadlineExceeded',
  );
  if (stuck) {
    return {
      reason: 'ProgressDeadlineExceeded',
      message: `engines did not become ready in time; raise engine.startupTimeout if the model needs longer, else read the log: ${logsCommand(deployment)}`,
      needsUser: true,
    };
  }
  return undefined;
}

function podProblem(deployment: Deployment, pod: Pod): EngineProblem | undefined {
  const scheduled = pod.status?.conditions?.find((c) => c.type === 'PodScheduled' && c.status === 'False');
  if (scheduled?.reason === 'Unschedulable') {
    return {
      reason: 'Unschedulable',
      message: `no node can take an engine: ${scheduled.message ?? 'the scheduler gave no reason'}`,
      needsUser: false,
    };
  }
  for (const container of pod.status?.containerStatuses ?? []) {
    const waiting = container.state?.waiting;
    if (waiting?.reason && IMAGE_REASONS.has(waiting.reason)) {
      // The kubelet alternates between ErrImagePull and ImagePullBackOff, each with words of its own: only what stays is told.
      const image = pod.spec.containers?.find(({ name }) => name === container.name)?.image;
      return {
        reason: 'ImagePullFailed',
        message: `the engine image ${image ?? ''} cannot be pulled; check engine.image and template.imagePullSecrets, the reason is in: kubectl describe pods -n ${deployment.metadata.namespace} -l vllm-operator.dev/model=${pod.metadata.labels?.['vllm-operator.dev/model'] ?? ''}`,
        needsUser: true,
      };
    }
    if (waiting?.reason && CONFIG_REASONS.has(waiting.reason)) {
      return {
        reason: 'ContainerConfigError',
        message: `the engine container cannot start (${waiting.reason}): ${waiting.message ?? 'no details'}`,
        needsUser: true,
      };
    }
    const ended =
      container.state?.terminated ??
      (container.restartCount > 0 ? container.lastState?.terminated : undefined);
    if (ended && ended.exitCode !== 0) {
      return {
        reason: 'EngineCrashed',
        message: `vLLM ended with ${exitText(ended.exitCode, ended.reason)}; read why: ${logsCommand(deployment)} --previous`,
        needsUser: container.restartCount >= 2 && !wasReady(pod, ended.startedAt),
      };
    }
  }
  return undefined;
}

/** Whether a run of the engine that began then had become ready before it ended: starting it again may well help. */
function wasReady(pod: Pod, startedAt: string | undefined): boolean {
  const lost = pod.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
  return startedAt !== undefined && lost !== undefined && lost > startedAt;
}

function exitText(code: number, reason: string | undefined): string {
  if (reason === 'OOMKilled' || code === 137)
    return `exit code ${code} (out of memory or killed: raise template.resources.limits.memory)`;
  if (code === 2) return 'exit code 2 (it refused its arguments: check engine.extraArgs and engine.image)';
  return `exit code ${code}`;
}

function logsCommand(deployment: Deployment): string {
  return `kubectl logs -n ${deployment.metadata.namespace} deploy/${deployment.metadata.name}`;
}
