/** Budgets of money that a pool gives to namespaces, and how much of them is used. The recorder writes, others read. */
import { modelConditions } from '../../api/condition-set.ts';
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import type { Clock } from '../../kube/clock.ts';
import { type ConditionUpdate, findCondition } from '../../kube/conditions.ts';
import type { EventRecorder } from '../../kube/events.ts';
import { keyOf } from '../../kube/key.ts';
import { PerObject } from '../../kube/per-object.ts';
import type { WorkQueue } from '../../kube/work-queue.ts';
import type { Ledger } from '../../usage/ledger.ts';
import { dayOf, monthOf } from '../../usage/periods.ts';
import { sumOfWindows, WindowSums } from '../../usage/windows.ts';
import type { ClusterState } from '../shared/cluster-state.ts';

type Budget = NonNullable<InferencePool['spec']['capacity']['namespaceBudgets']>[number];
type BudgetReason = 'WithinBudget' | 'BudgetNearlyUsed' | 'BudgetExceeded' | 'BudgetExhausted';

export interface NamespaceBudgetsOptions {
  state: Pick<ClusterState, 'models' | 'pools'>;
  /** Models whose condition has changed. */
  queues: Record<'inferencemodel' | 'scaling', Pick<WorkQueue, 'add'>>;
  events: Pick<EventRecorder, 'emit'>;
  clock: Clock;
}

/** What namespaces spent in a month. */
interface Spent {
  month: string;
  /** By namespace with a budget, in the currency of the pool. */
  amounts: ReadonlyMap<string, number>;
}

/** Used share of a budget from which on there is a warning, where the budget says nothing else. */
const WARN_PERCENT = 80;

const { condition } = modelConditions;

export class NamespaceBudgets {
  readonly #options: NamespaceBudgetsOptions;
  readonly #sums = new WindowSums();
  /** By pool. Absent until the records were read. */
  readonly #spent: PerObject<Spent>;
  /** By pool: the reason of each namespace, as it was when models were queued last. */
  readonly #known: PerObject<ReadonlyMap<string, BudgetReason>>;

  constructor(options: NamespaceBudgetsOptions) {
    this.#options = options;
    this.#spent = new PerObject(options.state.pools.store);
    this.#known = new PerObject(options.state.pools.store);
  }

  /** Takes the ledgers of a pool, and queues the models of namespaces whose condition has changed. */
  update(pool: InferencePool, ledgers: ReadonlyMap<string, Ledger>): void {
    const { uid } = pool.metadata;
    const budgets = pool.spec.capacity.namespaceBudgets ?? [];
    const now = this.#options.clock.now();
    const amounts = budgets.map(({ namespace }): [string, number] => {
      const ledger = ledgers.get(namespace);
      const windows = ledger ? sumOfWindows(this.#sums.of(ledger, now).values()) : undefined;
      return [namespace, (windows?.month.cost ?? 0) / 1e9];
    });
    const spent = { month: monthOf(dayOf(now)), amounts: new Map(amounts) };
    this.#spent.set(uid, spent);
    const known = this.#known.get(uid);
    const reasons = new Map(budgets.map((budget) => [budget.namespace, reasonOf(budget, spent)]));
    this.#known.set(uid, reasons);
    for (const budget of budgets) {
      const reason = reasons.get(budget.namespace);
      if (reason === undefined || reason === known?.get(budget.namespace)) continue;
      this.#queue(pool, budget.namespace);
      if (known && reason !== 'WithinBudget') this.#report(pool, budget, reason, spent.month);
    }
  }

  /**
   * The condition WithinBudget of a model: as before while it is not known what was spent, and undefined for a model whose
   * namespace never had a budget in the pool.
   */
  of(pool: InferencePool, { metadata, status }: InferenceModel): ConditionUpdate | undefined {
    const before = findCondition(status?.conditions, 'WithinBudget');
    const budget = budgetOf(pool, metadata.namespace);
    if (!budget)
      return before && condition('WithinBudget', 'NoBudget', 'the pool has no budget for the namespace');
    const spent = this.#spent.get(pool.metadata.uid);
    if (!spent) return before;
    const reason = reasonOf(budget, spent);
    return condition('WithinBudget', reason, message(budget, reason, spent.month));
  }

  /**
   * Whether the budget stops the model. The status of the model decides while it is not known what was spent, and no longer:
   * whoever edits the model all the time keeps its status from being written.
   */
  stops(pool: InferencePool, model: InferenceModel): boolean {
    return this.of(pool, model)?.reason === 'BudgetExhausted';
  }

  /** Budgets and what is used of them, by namespace. Empty while that is not known. */
  used(pool: InferencePool): { namespace: string; limit: number; used: number }[] {
    const spent = this.#spent.get(pool.metadata.uid);
    if (!spent) return [];
    return (pool.spec.capacity.namespaceBudgets ?? []).map(({ namespace, monthly }) => ({
      namespace,
      limit: Number(monthly),
      used: spent.amounts.get(namespace) ?? 0,
    }));
  }

  #queue(pool: InferencePool, namespace: string): void {
    const { state, queues } = this.#options;
    for (const model of state.models.store.byIndex('byPoolAndNamespace', `${keyOf(pool)}/${namespace}`)) {
      queues.inferencemodel.add(keyOf(model));
      queues.scaling.add(keyOf(model));
    }
  }

  #report(pool: InferencePool, budget: Budget, reason: BudgetReason, month: string): void {
    const note = message(budget, reason, month);
    this.#options.events.emit(pool, { type: 'Warning', reason, action: 'AccountUsage', note });
  }
}

function budgetOf(pool: InferencePool, namespace: string | undefined): Budget | undefined {
  return pool.spec.capacity.namespaceBudgets?.find((budget) => budget.namespace === namespace);
}

/** A namespace that got its budget after the last round has spent nothing that is known. */
function reasonOf(
  { namespace, monthly, warnPercent = WARN_PERCENT, action }: Budget,
  { amounts }: Spent,
): BudgetReason {
  const amount = amounts.get(namespace) ?? 0;
  if (amount >= Number(monthly)) return action === 'Stop' ? 'BudgetExhausted' : 'BudgetExceeded';
  return amount >= (Number(monthly) * warnPercent) / 100 ? 'BudgetNearlyUsed' : 'WithinBudget';
}

/** Without what was spent, which changes every minute: a status is only written when something crosses a limit. */
function message(
  { namespace, monthly, warnPercent = WARN_PERCENT }: Budget,
  reason: BudgetReason,
  month: string,
): string {
  const budget = `its budget of ${monthly} for ${month}`;
  switch (reason) {
    case 'WithinBudget':
      return `namespace ${namespace} has used less than ${warnPercent} % of ${budget}`;
    case 'BudgetNearlyUsed':
      return `namespace ${namespace} has used ${warnPercent} % or more of ${budget}`;
    case 'BudgetExceeded':
      return `namespace ${namespace} has used up ${budget}; raise capacity.namespaceBudgets of the pool, or use less`;
    case 'BudgetExhausted':
      return `namespace ${namespace} has used up ${budget}; its models are stopped until the next month (UTC) or until capacity.namespaceBudgets of the pool is raised`;
  }
}
