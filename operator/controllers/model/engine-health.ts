/** Summarizes the Deployment and pods of a model, including problems that a user can act on. Pure. */
import { type WorkloadProblem, type WorkloadWords, workloadProblem } from '../shared/workload-problem.ts';
import type { Deployment, Pod } from '../shared/workloads.ts';
import { isFinished, isReady } from '../shared/workloads.ts';

export interface EngineHealth {
  /** `spec.replicas` of the Deployment. */
  desired: number;
  /** Existing pods, including terminating ones, because those still hold accelerators. */
  pods: number;
  ready: number;
  /** A rollout is in progress: some pods have an older template. */
  rolling: boolean;
  problem?: WorkloadProblem<'EngineCrashed'>;
}

const WORDS: WorkloadWords<'EngineCrashed'> = {
  one: 'an engine',
  many: 'engines',
  container: 'engine',
  program: 'vLLM',
  crashed: 'EngineCrashed',
  imageFields: 'engine.image and template.imagePullSecrets',
  memoryField: 'template.resources.limits.memory',
  argumentFields: 'engine.extraArgs and engine.image',
  startRemedy: 'raise engine.startupTimeout if the model needs longer',
};

/**
 * Reads a Deployment and its pods. A missing Deployment counts as zero replicas.
 * @param mountFailure why the volumes of a pod cannot be mounted, if known
 */
export function engineHealth(
  deployment: Deployment | undefined,
  pods: readonly Pod[],
  mountFailure?: (pod: Pod) => string | undefined,
): EngineHealth {
  const desired = deployment ? (deployment.spec.replicas ?? 1) : 0;
  const status = deployment?.status ?? {};
  const observed =
    deployment !== undefined && (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0);
  // Until the Deployment controller has observed the spec, a different number of replicas means scaling, and the same
  // number means a new template.
  const { replicas = 0, updatedReplicas = 0 } = status;
  const rolling = deployment !== undefined && (observed ? replicas > updatedReplicas : replicas === desired);
  const problem =
    deployment && desired > 0
      ? workloadProblem({ deployment, pods, words: WORDS, observed, mountFailure })
      : undefined;
  return {
    desired,
    pods: pods.filter((pod) => !isFinished(pod)).length,
    ready: pods.filter(isReady).length,
    rolling,
    ...(problem && { problem }),
  };
}
