/** Which models a pool takes: namespace, served names, budget and quota. Pure, and the same whatever order models are looked at. */
import type { InferenceModel, InferencePool } from '../api/types.ts';
import { mergeAdapters } from '../engine/merge-settings.ts';
import { keyOf } from '../kube/key.ts';
import { mostReplicas } from '../scaling/bounds.ts';
import { matchesSelector } from './label-selector.ts';

/** What a pool says to one model. */
export type Verdict =
  | { accepted: true }
  | {
      accepted: false;
      reason: 'NamespaceNotAllowed' | 'ServedNameConflict' | 'QuotaExceeded';
      message: string;
    };

interface AcceptanceInput {
  pool: InferencePool;
  /** Every model whose poolRef names the pool and that is not being deleted. */
  models: readonly InferenceModel[];
  /** Labels of the models' namespaces; a namespace that is not known yet is not allowed yet. */
  namespaceLabels: (namespace: string) => Readonly<Record<string, string>> | undefined;
  /** Accelerators of one replica of the pool. */
  acceleratorsPerReplica: number;
}

/** Names under which a model answers in the OpenAI API, LoRA adapters included. */
export function servedNames(model: InferenceModel, pool?: InferencePool): string[] {
  return [
    ...(model.spec.model.servedNames ?? [model.metadata.name]),
    ...mergeAdapters(pool?.spec.engine, model.spec.engine).map((adapter) => adapter.name),
  ];
}

/** Whether a pool takes models, and API keys, of a namespace. One that is not known yet is not admitted yet, but for the pool's own. */
export function admitsNamespace(
  pool: InferencePool,
  namespace: string,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  const { from, selector } = pool.spec.allowedNamespaces;
  if (namespace === pool.metadata.namespace || from === 'All') return true;
  return from === 'Selector' && labels !== undefined && matchesSelector(selector, labels);
}

/**
 * The most replicas that a model may have at once, which is what it is charged without overcommit. Somebody else's number
 * is bound by `maxReplicas` alone; where that is not set, the present number is charged.
 */
export function maxReplicas({ spec: { scaling, suspend } }: InferenceModel): number {
  if (suspend) return 0;
  if (scaling?.mode === 'External')
    return scaling.maxReplicas === undefined ? (scaling.replicas ?? 1) : mostReplicas(scaling);
  return scaling?.replicas ?? mostReplicas(scaling);
}

/**
 * A verdict for every model, by UID. Models whose present spec was accepted before come first, then by age, so that
 * neither a newcomer nor an edit takes a name or accelerators from a model that has them.
 */
export function acceptModels(input: AcceptanceInput): Map<string, Verdict> {
  const { pool, acceleratorsPerReplica } = input;
  const verdicts = new Map<string, Verdict>();
  const nameOwners = new Map<string, InferenceModel>();
  const chargedByNamespace = new Map<string, number>();
  let charged = 0;

  for (const model of [...input.models].sort(byStanding)) {
    const uid = model.metadata.uid ?? '';
    const verdict = decide(model);
    verdicts.set(uid, verdict);
    if (!verdict.accepted) continue;
    for (const name of servedNames(model, pool)) nameOwners.set(name, model);
    const claim = maxReplicas(model) * acceleratorsPerReplica;
    charged += claim;
    const namespace = model.metadata.namespace ?? '';
    chargedByNamespace.set(namespace, (chargedByNamespace.get(namespace) ?? 0) + claim);
  }
  return verdicts;

  function decide(model: InferenceModel): Verdict {
    return namespaceVerdict(model) ?? nameVerdict(model) ?? budgetVerdict(model) ?? { accepted: true };
  }

  function namespaceVerdict(model: InferenceModel): Verdict | undefined {
    const namespace = model.metadata.namespace ?? '';
    if (admitsNamespace(pool, namespace, input.namespaceLabels(namespace))) return undefined;
    const { from } = pool.spec.allowedNamespaces;
    const remedy =
      from === 'Same'
        ? 'set spec.allowedNamespaces.from of the pool to All or Selector, or move the model'
        : 'label the namespace so that spec.allowedNamespaces.selector of the pool matches it';
    return {
      accepted: false,
      reason: 'NamespaceNotAllowed',
      message: `spec.poolRef: pool ${poolName(pool)} does not admit models of namespace "${namespace}" (allowedNamespaces.from is ${from}): ${remedy}`,
    };
  }

  function nameVerdict(model: InferenceModel): Verdict | undefined {
    for (const name of servedNames(model, pool)) {
      const owner = nameOwners.get(name);
      if (!owner) continue;
      return {
        accepted: false,
        reason: 'ServedNameConflict',
        message: `spec.model.servedNames: "${name}" is already served in pool ${poolName(pool)} by ${owner.metadata.namespace}/${owner.metadata.name}: choose another name`,
      };
    }
    return undefined;
  }

  function budgetVerdict(model: InferenceModel): Verdict | undefined {
    const { accelerators, namespaceQuotas = [], overcommit } = pool.spec.capacity;
    const namespace = model.metadata.namespace ?? '';
    const replicas = overcommit ? Math.min(1, maxReplicas(model)) : maxReplicas(model);
    const claim = replicas * acceleratorsPerReplica;
    const need = `${claim} accelerators (${replicas} × ${acceleratorsPerReplica})`;
    const quota = namespaceQuotas.find((entry) => entry.namespace === namespace)?.accelerators;
    const usedByNamespace = overcommit ? 0 : (chargedByNamespace.get(namespace) ?? 0);
    if (quota !== undefined && usedByNamespace + claim > quota) {
      return {
        accepted: false,
        reason: 'QuotaExceeded',
        message: `spec.scaling: needs ${need}, but namespace "${namespace}" has ${quota - usedByNamespace} of its ${quota} left in pool ${poolName(pool)}: lower maxReplicas or raise capacity.namespaceQuotas`,
      };
    }
    const used = overcommit ? 0 : charged;
    if (accelerators !== undefined && used + claim > accelerators) {
      return {
        accepted: false,
        reason: 'QuotaExceeded',
        message: `spec.scaling: needs ${need}, but pool ${poolName(pool)} has ${accelerators - used} of ${accelerators} left: lower maxReplicas, raise capacity.accelerators or set capacity.overcommit`,
      };
    }
    return undefined;
  }
}

function poolName(pool: InferencePool): string {
  return `${pool.metadata.namespace}/${pool.metadata.name}`;
}

function byStanding(a: InferenceModel, b: InferenceModel): number {
  return (
    Number(standsAccepted(b)) - Number(standsAccepted(a)) ||
    order(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') ||
    order(keyOf(a), keyOf(b))
  );
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether the present spec of a model was accepted before. */
export function standsAccepted(model: InferenceModel): boolean {
  const accepted = model.status?.conditions?.find((condition) => condition.type === 'Accepted');
  return accepted?.status === 'True' && accepted.observedGeneration === model.metadata.generation;
}
