/** Who of an overcommitted pool gets accelerators, and who gives them up. Pure. */

/** One model of the pool, as the budget sees it. Times are monotonic milliseconds. */
export interface BudgetModel {
  uid: string;
  namespace: string;
  priority: number;
  /** Accelerators that its pods hold, those of pods that still terminate and of replicas that are asked for included. */
  held: number;
  /** Accelerators that it asks for, to wake or for another replica; 0 for none. */
  wants: number;
  /** Since when it asks. */
  waitingSince: number;
  /** Requests are in flight, or nobody knows. */
  inUse: boolean;
  lastUsed: number;
  /** It may go to zero, and is neither starting nor draining for another reason. */
  mayGiveUp: boolean;
  /** It is on its way out for a waiting model already. */
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
  /** From 1. */
  position: number;
  reason: 'PoolFull' | 'NamespaceQuota';
}

export interface BudgetDecision {
  /** May take what they ask for, all of them at once. */
  granted: string[];
  /** Are to be put to sleep, and for whom. Those that are leaving already stay in the list. */
  evict: { uid: string; for: string }[];
  /** Have to wait, in the order in which they are served. */
  queue: Waiting[];
}

/** Waiting this long counts as one more priority, so that nobody waits for ever behind equals or betters. */
export const AGING_MS = 60_000;

/**
 * Serves those that wait in the order of priority (aged), then of time. Evicts for the first that does not fit: idle models
 * first, lowest priority and oldest use; then ones in use, but only for a waiter of higher (aged) priority. A smaller
 * request never overtakes one that waits before it, or large models would starve.
 */
export function arbitrate({ now, accelerators, namespaceQuotas, models }: BudgetInput): BudgetDecision {
  const decision: BudgetDecision = { granted: [], evict: [], queue: [] };
  let free = accelerators - sum(models.map(({ held }) => held));
  let coming = sum(models.filter(({ leaving }) => leaving).map(({ held }) => held));
  const quotas = new Map(namespaceQuotas.map((quota) => [quota.namespace, quota.accelerators]));
  const used = new Map<string, number>();
  for (const model of models) used.set(model.namespace, (used.get(model.namespace) ?? 0) + model.held);
  const candidates = models
    .filter(({ mayGiveUp, leaving, held, wants }) => mayGiveUp && !leaving && held > 0 && wants === 0)
    .sort(byDispensability);
  let blocked = false;

  for (const waiter of models.filter(({ wants }) => wants > 0).sort(byClaim(now))) {
    const quota = quotas.get(waiter.namespace);
    if (quota !== undefined && (used.get(waiter.namespace) ?? 0) + waiter.wants > quota) {
      // Only its own namespace can help it, so it holds up nobody else.
      const need = (used.get(waiter.namespace) ?? 0) + waiter.wants - quota;
      evictFor(waiter, need, (model) => model.namespace === waiter.namespace);
      decision.queue.push({ uid: waiter.uid, position: decision.queue.length + 1, reason: 'NamespaceQuota' });
      continue;
    }
    if (!blocked && waiter.wants <= free) {
      free -= waiter.wants;
      used.set(waiter.namespace, (used.get(waiter.namespace) ?? 0) + waiter.wants);
      decision.granted.push(waiter.uid);
      continue;
    }
    const need = waiter.wants - Math.max(0, free) - coming;
    coming -= Math.min(coming, Math.max(0, waiter.wants - Math.max(0, free)));
    free = Math.max(0, free - waiter.wants);
    blocked = true;
    evictFor(waiter, need, () => true);
    decision.queue.push({ uid: waiter.uid, position: decision.queue.length + 1, reason: 'PoolFull' });
  }
  return decision;

  /** Chooses victims until `need` is covered; none if it cannot be, because a sleep that helps nobody helps nobody. */
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

/**
 * Accelerators that a model of the namespace may take for further replicas: what nobody holds, none while somebody waits
 * for the pool, and not above the namespace's quota.
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

/** Priority with the time waited, in whole steps so that ties stay ties for a while. */
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
