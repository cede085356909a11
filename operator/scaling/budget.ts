/** Decides which models of an overcommitted pool get accelerators, and which give them up. Pure. */

/** One model of the pool, as the budget sees it. Times are in monotonic milliseconds. */
export interface BudgetModel {
  uid: string;
  namespace: string;
  priority: number;
  /** Accelerators that it holds, including terminating pods and replicas that have no pod yet. */
  held: number;
  /** Accelerators that it requests, to wake or to add a replica; 0 for none. */
  wants: number;
  /** Start of the wait. */
  waitingSince: number;
  /** Whether requests are in flight, or the demand is unknown. */
  inUse: boolean;
  lastUsed: number;
  /** Whether it may scale to zero, and is neither starting nor draining for another reason. */
  mayGiveUp: boolean;
  /** Whether it never gives up what it holds by itself: it has a fixed number of replicas, or a minimum above 0. */
  stays: boolean;
  /** Whether it already gives up its accelerators. */
  leaving: boolean;
}

export interface BudgetInput {
  now: number;
  /** Accelerators of the pool. */
  accelerators: number;
  namespaceQuotas: readonly { namespace: string; accelerators: number }[];
  models: readonly BudgetModel[];
}

export interface Waiting {
  uid: string;
  /** Starts at 1. */
  position: number;
  /** `TooLarge`: it asks for more than can become free. */
  reason: 'PoolFull' | 'NamespaceQuota' | 'TooLarge';
}

export interface BudgetDecision {
  /** Models that may take what they request, all of them at once. */
  granted: string[];
  /** Models that have to sleep, and for which model. Models that are already leaving are not repeated. */
  evict: { uid: string; for: string }[];
  /** Models that have to wait, in the order in which they will be served. */
  queue: Waiting[];
}

/** Waiting this long counts as one more priority level, so that no model starves behind others. */
export const AGING_MS = 60_000;

/**
 * Serves waiting models by priority (with aging), then by waiting time. Evicts models for the first one that does not fit:
 * idle models first, by lowest priority and oldest use; then models in use, but only for a waiting model of higher (aged)
 * priority. A smaller request never overtakes an earlier one, because large models would starve, unless the earlier one asks
 * for more than can become free.
 */
export function arbitrate({ now, accelerators, namespaceQuotas, models }: BudgetInput): BudgetDecision {
  const decision: BudgetDecision = { granted: [], evict: [], queue: [] };
  let free = accelerators - sum(models.map(({ held }) => held));
  let coming = sum(models.filter(({ leaving }) => leaving).map(({ held }) => held));
  const quotas = new Map(namespaceQuotas.map((quota) => [quota.namespace, quota.accelerators]));
  const used = heldByNamespace(models);
  const candidates = models.filter(canBeEvicted).sort(byDispensability);
  const most = mostThatCanBecomeFree(accelerators, models);
  const enqueue = ({ uid }: BudgetModel, reason: Waiting['reason']) =>
    decision.queue.push({ uid, position: decision.queue.length + 1, reason });
  let blocked = false;

  for (const waiter of models.filter(({ wants }) => wants > 0).sort(byClaim(now))) {
    const quota = quotas.get(waiter.namespace) ?? Number.POSITIVE_INFINITY;
    const beyond = (used.get(waiter.namespace) ?? 0) + waiter.wants - quota;
    if (beyond > 0) {
      // Only models of its own namespace can make room for it, so it does not block other namespaces.
      evictFor(waiter, beyond, (model) => model.namespace === waiter.namespace);
      enqueue(waiter, 'NamespaceQuota');
      continue;
    }
    if (!blocked && waiter.wants <= free) {
      free -= waiter.wants;
      used.set(waiter.namespace, (used.get(waiter.namespace) ?? 0) + waiter.wants);
      decision.granted.push(waiter.uid);
      continue;
    }
    if (waiter.wants > most) {
      // Others would wait behind it for ever.
      enqueue(waiter, 'TooLarge');
      continue;
    }
    const need = waiter.wants - Math.max(0, free) - coming;
    coming -= Math.min(coming, Math.max(0, waiter.wants - Math.max(0, free)));
    free = Math.max(0, free - waiter.wants);
    blocked = true;
    evictFor(waiter, need, () => true);
    enqueue(waiter, 'PoolFull');
  }
  return decision;

  /** Selects victims until `need` is covered. Selects none if it cannot be covered, because evictions would then be useless. */
  function evictFor(waiter: BudgetModel, need: number, eligible: (model: BudgetModel) => boolean): void {
    if (need <= 0) return;
    const chosen: BudgetModel[] = [];
    let gained = 0;
    for (const model of candidates) {
      if (gained >= need) break;
      if (!eligible(model) || (model.inUse && model.priority >= claim(waiter, now))) continue;
      chosen.push(model);
      gained += model.held;
    }
    if (gained < need) return;
    for (const model of chosen) {
      candidates.splice(candidates.indexOf(model), 1);
      decision.evict.push({ uid: model.uid, for: waiter.uid });
    }
    coming += gained - need;
  }
}

function heldByNamespace(models: readonly BudgetModel[]): Map<string, number> {
  const held = new Map<string, number>();
  for (const model of models) held.set(model.namespace, (held.get(model.namespace) ?? 0) + model.held);
  return held;
}

function canBeEvicted({ mayGiveUp, leaving, held, wants }: BudgetModel): boolean {
  return mayGiveUp && !leaving && held > 0 && wants === 0;
}

/** As long as nobody changes a spec. */
function mostThatCanBecomeFree(accelerators: number, models: readonly BudgetModel[]): number {
  return accelerators - sum(models.filter(({ stays, leaving }) => stays && !leaving).map(({ held }) => held));
}

/**
 * Accelerators that a model of the namespace may take for more replicas: those that are free, but none while a model waits
 * for the pool, and not beyond the quota of the namespace.
 */
export function roomFor(namespace: string, input: BudgetInput): number {
  const { accelerators, models, namespaceQuotas } = input;
  const { granted, queue } = arbitrate(input);
  if (granted.length > 0 || queue.some(({ reason }) => reason === 'PoolFull')) return 0;
  const held = (of: readonly BudgetModel[]) => sum(of.map((model) => model.held));
  const quota = namespaceQuotas.find((candidate) => candidate.namespace === namespace)?.accelerators;
  const ofNamespace = models.filter((model) => model.namespace === namespace);
  return Math.min(
    accelerators - held(models),
    quota === undefined ? Number.POSITIVE_INFINITY : quota - held(ofNamespace),
  );
}

/** Priority plus aging, in whole steps, so that equal priorities stay equal for a while. */
function claim({ priority, waitingSince }: BudgetModel, now: number): number {
  return priority + Math.floor(Math.max(0, now - waitingSince) / AGING_MS);
}

function byClaim(now: number) {
  return (a: BudgetModel, b: BudgetModel) =>
    claim(b, now) - claim(a, now) || a.waitingSince - b.waitingSince || (a.uid < b.uid ? -1 : 1);
}

function byDispensability(a: BudgetModel, b: BudgetModel): number {
  return (
    Number(a.inUse) - Number(b.inUse) ||
    a.priority - b.priority ||
    a.lastUsed - b.lastUsed ||
    (a.uid < b.uid ? -1 : 1)
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
