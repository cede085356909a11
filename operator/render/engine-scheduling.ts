/** Where engine pods may run. */
import type { InferenceModel, InferencePool } from '../api/types.ts';
import type { ResolvedEngine } from '../engine/resolved-engine.ts';
import { engineSelector } from './labels.ts';

/** Taints of reclaimable nodes at GKE, AKS and Karpenter. */
const SPOT_TOLERATIONS = [
  { key: 'cloud.google.com/gke-spot', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'kubernetes.azure.com/scalesetpriority', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'karpenter.sh/capacity-type', operator: 'Exists', effect: 'NoSchedule' },
] as const;

function tolerations(engine: ResolvedEngine, pool: InferencePool): object[] {
  const { resourceName } = engine.accelerator;
  const domain = resourceName.split('/')[0] ?? '';
  // Nodes with partitions of a GPU carry the taint of whole ones.
  const keys = new Set([resourceName, `${domain}/gpu`]);
  return [
    ...[...keys].map((key) => ({ key, operator: 'Exists', effect: 'NoSchedule' })),
    ...(pool.spec.accelerator.spot === true ? SPOT_TOLERATIONS : []),
    ...(pool.spec.accelerator.tolerations ?? []),
  ];
}

function affinity(engine: ResolvedEngine): object {
  const label = engine.accelerator.productLabel;
  if (label === undefined) return {};
  const matchExpressions = [{ key: label.key, operator: 'In', values: [...label.values] }];
  return {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] },
      },
    },
  };
}

function spread(model: InferenceModel): object[] {
  const labelSelector = { matchLabels: engineSelector(model.metadata) };
  const own = model.spec.template?.topologySpreadConstraints;
  if (own !== undefined) return own.map((constraint) => ({ labelSelector, ...constraint }));
  return ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector,
  }));
}

/** The pod's fields for the scheduler: the catalog's nodes unless the pool selects its own. */
export function engineScheduling(engine: ResolvedEngine, pool: InferencePool, model: InferenceModel): object {
  const { nodeSelector, runtimeClassName, priorityClassName } = pool.spec.accelerator;
  return {
    ...(nodeSelector === undefined ? affinity(engine) : { nodeSelector }),
    tolerations: tolerations(engine, pool),
    topologySpreadConstraints: spread(model),
    ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
    ...(priorityClassName === undefined ? {} : { priorityClassName }),
  };
}
