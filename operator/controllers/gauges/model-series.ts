/** The series of each model, from its status. Pure. */
import type { InferenceModel } from '../../api/types.ts';
import { findCondition, isTrue } from '../../kube/conditions.ts';
import { poolKeyOf } from '../../model/pool-key.ts';
import { fairShares } from './fair-shares.ts';

/** Most models with series of their own: a scrape of so many takes the operator about 0.2 s of CPU time. */
const MAX_MODELS = 5_000;

/** In the place of the names of models beyond the maximum, and of their pools. No object in Kubernetes can have this name. */
const OTHER = '(other)';

export const MODEL_LABELS = ['namespace', 'model', 'pool_namespace', 'pool'] as const;
export type ModelLabels = Record<(typeof MODEL_LABELS)[number], string>;

/** What is shown of a model. */
export interface ModelSeries {
  labels: ModelLabels;
  /** `Unknown` until the operator has written a status. */
  state: string;
  available: boolean;
  /** Why a user has to act; absent if nobody has to. */
  stalled?: string;
  accelerators: number;
  /** Absent if the pool has no price. */
  hourlyCost?: number;
  /** Absent if the model does not wait for accelerators. */
  queuePosition?: number;
}

/**
 * Names the models that have series of their own. Beyond the maximum, the namespaces with the most models share the rest: of
 * these, the models with the first names are shown, and the others under one name.
 */
export function modelSeries(models: readonly InferenceModel[], most = MAX_MODELS): ModelSeries[] {
  const byNamespace = Map.groupBy(models, ({ metadata }) => metadata.namespace ?? '');
  const needs = new Map([...byNamespace].map(([namespace, { length }]) => [namespace, length]));
  const shares = fairShares(needs, most);
  return [...byNamespace].flatMap(([namespace, all]) => {
    const share = shares.get(namespace) ?? 0;
    if (all.length <= share) return all.map((model) => seriesOf(model, model.metadata.name));
    const sorted = all.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    return sorted.map((model, i) => seriesOf(model, i < share ? model.metadata.name : OTHER));
  });
}

function seriesOf(model: InferenceModel, name: string): ModelSeries {
  const { status = {}, metadata } = model;
  // A model can name any pool, also one that does not exist, so this is no label of models without series of their own.
  const [poolNamespace = '', pool = ''] = name === OTHER ? [OTHER, OTHER] : poolKeyOf(model).split('/');
  const stalled = findCondition(status.conditions, 'Stalled');
  return {
    labels: { namespace: metadata.namespace ?? '', model: name, pool_namespace: poolNamespace, pool },
    state: status.state ?? 'Unknown',
    available: isTrue(status.conditions, 'Available'),
    ...(stalled?.status === 'True' && { stalled: stalled.reason }),
    accelerators: status.accelerators ?? 0,
    ...(status.hourlyCost !== undefined && { hourlyCost: Number(status.hourlyCost) }),
    ...(status.queuePosition !== undefined && name !== OTHER && { queuePosition: status.queuePosition }),
  };
}
