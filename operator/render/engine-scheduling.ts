/** Scheduling of engine pods. */
import type { InferenceModel, InferencePool } from '../api/types.ts';
import type { ResolvedEngine } from '../model/resolved-engine.ts';

/** Taints of spot nodes of GKE, AKS and Karpenter. */
const SPOT_TOLERATIONS = [
  { key: 'cloud.google.com/gke-spot', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'kubernetes.azure.com/scalesetpriority', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'karpenter.sh/capacity-type', operator: 'Exists', effect: 'NoSchedule' },
] as const;

function tolerations(engine: ResolvedEngine, pool: InferencePool, model: InferenceModel): object[] {
  const { resourceName } = engine.accelerator;
  // Nodes with partitioned GPUs have the same taint as nodes with whole ones.
  const keys = new Set(
    resourceName === undefined ? [] : [resourceName, `${resourceName.split('/')[0] ?? ''}/gpu`],
  );
  return [
    ...[...keys].map((key) => ({ key, operator: 'Exists', effect: 'NoSchedule' })),
    ...(pool.spec.accelerator.spot === true ? SPOT_TOLERATIONS : []),
    ...(pool.spec.accelerator.tolerations ?? []),
    ...(model.spec.template?.tolerations ?? []),
  ];
}

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';

/** The user's affinity, with the accelerator's nodes added to every term, because terms are ORed. */
function affinity(engine: ResolvedEngine, pool: InferencePool, model: InferenceModel): object {
  const own = model.spec.template?.affinity;
  const label = engine.accelerator.productLabel;
  if (label === undefined || pool.spec.accelerator.nodeSelector !== undefined) return {};
  const product = { key: label.key, operator: 'In', values: [...label.values] };
  const terms = own?.nodeAffinity?.[REQUIRED]?.nodeSelectorTerms ?? [{}];
  const nodeSelectorTerms = terms.map((term) => ({
    ...term,
    matchExpressions: [...(term.matchExpressions ?? []), product],
  }));
  return {
    affinity: { ...own, nodeAffinity: { ...own?.nodeAffinity, [REQUIRED]: { nodeSelectorTerms } } },
  };
}

/** The scheduling fields of a pod. Uses the catalog's nodes unless the pool selects its own. Pool settings take precedence. */
export function engineScheduling(engine: ResolvedEngine, pool: InferencePool, model: InferenceModel): object {
  const { nodeSelector, runtimeClassName, priorityClassName } = pool.spec.accelerator;
  return {
    ...affinity(engine, pool, model),
    ...(nodeSelector === undefined
      ? {}
      : { nodeSelector: { ...model.spec.template?.nodeSelector, ...nodeSelector } }),
    tolerations: tolerations(engine, pool, model),
    ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
    ...(priorityClassName === undefined ? {} : { priorityClassName }),
  };
}
