/** Sums of ledgers in a window, by team, model, pool or API key. Pure. */
import { type Bucket, EMPTY_BUCKET, plus, total } from './bucket.ts';
import { type Ledger, WHOLE_DAY } from './ledger.ts';
import { HOUR_MS, monthOf, startOf } from './periods.ts';

export const GROUPS = ['team', 'model', 'pool', 'key'] as const;
export type Group = (typeof GROUPS)[number];

/** The record of one namespace in one pool. */
export interface PoolLedger {
  /** `namespace/name`. */
  pool: string;
  ledger: Ledger;
  /** Price of one accelerator-hour now, for estimates of what was saved. */
  hourlyCost?: number;
  /** Price of the catalog, for time without a price of the pool. */
  hourlyCostHint?: number;
}

/** One line of a report. Money is in the currency of the pools. */
export interface UsageRow {
  /** Namespace, model, pool or tenant of the key, as `namespace` or `namespace/name`. */
  name: string;
  acceleratorSeconds: number;
  readyReplicaSeconds: number;
  cost: number;
  /** Whether a part of `cost` comes from a price of the catalog, or of the shares of keys. */
  costIsEstimate: boolean;
  requests: number;
  promptTokens: number;
  completionTokens: number;
  cachedRequests: number;
  cachedTokens: number;
  /** Estimate: the tokens of the cache times what the model's engines needed for a token in the same window. */
  cacheSavedAcceleratorSeconds: number;
  cacheSavedCost: number;
  /** What the models would have held if they had not slept, with one replica each. */
  sleepSavedAcceleratorSeconds: number;
  sleepSavedCost: number;
}

interface ModelUsage {
  of: PoolLedger;
  model: string;
  bucket: Bucket;
}

/**
 * The rows since a time, highest cost first. An hour counts if it begins at or after `since`. So does a whole day, where hours
 * are not stored (counts of keys, and old days), and a whole month, where days are not.
 */
export function usageRows(ledgers: readonly PoolLedger[], since: number, by: Group): UsageRow[] {
  const rows = by === 'key' ? keyRows(ledgers, since) : modelRows(ledgers, since, by);
  return rows.toSorted(
    (a, b) => b.cost - a.cost || b.acceleratorSeconds - a.acceleratorSeconds || (a.name < b.name ? -1 : 1),
  );
}

/** What each model of a ledger used since a time. */
export function usageByModel(ledger: Ledger, since: number): Map<string, Bucket> {
  const sums = new Map<string, Bucket>();
  const add = (model: string, bucket: Bucket) =>
    sums.set(model, plus(sums.get(model) ?? EMPTY_BUCKET, bucket));
  for (const [month, models] of ledger.months) {
    if (startOf(month) < since) continue;
    for (const [model, bucket] of models) add(model, bucket);
  }
  for (const [date, { models }] of ledger.days) {
    const start = startOf(date);
    for (const [model, rows] of models)
      for (const [row, bucket] of rows)
        if (start + (row === WHOLE_DAY ? 0 : row * HOUR_MS) >= since) add(model, bucket);
  }
  return sums;
}

function modelRows(ledgers: readonly PoolLedger[], since: number, by: Exclude<Group, 'key'>): UsageRow[] {
  const usages = ledgers.flatMap((of) =>
    [...usageByModel(of.ledger, since)].map(([model, bucket]): ModelUsage => ({ of, model, bucket })),
  );
  const nameOf = ({ of: { pool, ledger }, model }: ModelUsage) =>
    ({ team: ledger.namespace, model: `${ledger.namespace}/${model}`, pool })[by];
  return [...Map.groupBy(usages, nameOf)].map(([name, group]) =>
    group.map((usage) => rowOf(name, usage)).reduce(plusRow),
  );
}

function rowOf(name: string, { of, bucket }: ModelUsage): UsageRow {
  const { acceleratorMs, pricedMs, cost, readyMs, asleepMs, promptTokens, completionTokens, cachedTokens } =
    bucket;
  const unpriced = acceleratorMs - pricedMs;
  const price = of.hourlyCost ?? of.hourlyCostHint ?? 0;
  const computed = promptTokens + completionTokens;
  const savedMs = computed > 0 ? (cachedTokens * acceleratorMs) / computed : 0;
  return {
    name,
    acceleratorSeconds: acceleratorMs / 1_000,
    readyReplicaSeconds: readyMs / 1_000,
    cost: cost / 1e9 + money(unpriced, of.hourlyCostHint ?? 0),
    costIsEstimate: unpriced > 0 && of.hourlyCostHint !== undefined,
    requests: bucket.requests,
    promptTokens,
    completionTokens,
    cachedRequests: bucket.cachedRequests,
    cachedTokens,
    cacheSavedAcceleratorSeconds: Math.round(savedMs) / 1_000,
    cacheSavedCost: money(savedMs, price),
    sleepSavedAcceleratorSeconds: asleepMs / 1_000,
    sleepSavedCost: money(asleepMs, price),
  };
}

function money(acceleratorMs: number, hourlyCost: number): number {
  return (acceleratorMs / HOUR_MS) * hourlyCost;
}

function plusRow(a: UsageRow, b: UsageRow): UsageRow {
  const sum = { ...a, costIsEstimate: a.costIsEstimate || b.costIsEstimate };
  for (const field of Object.keys(a) as (keyof UsageRow)[]) {
    if (field !== 'name' && field !== 'costIsEstimate') sum[field] = a[field] + b[field];
  }
  return sum;
}

/** A key is charged with a share of the model that is the share of its tokens on the same day. */
function keyRows(ledgers: readonly PoolLedger[], since: number): UsageRow[] {
  const rows: UsageRow[] = [];
  for (const of of ledgers) {
    for (const [date, { models, keys }] of of.ledger.days) {
      if (startOf(date) < since) continue;
      for (const [model, tenants] of keys) {
        const used = total(models.get(model)?.values() ?? []);
        const tokens = used.promptTokens + used.completionTokens;
        for (const [tenant, count] of tenants) {
          const share = tokens > 0 ? Math.min(1, (count.promptTokens + count.completionTokens) / tokens) : 0;
          const acceleratorMs = Math.round(used.acceleratorMs * share);
          const bucket: Bucket = {
            ...EMPTY_BUCKET,
            ...count,
            acceleratorMs,
            pricedMs: Math.min(acceleratorMs, Math.round(used.pricedMs * share)),
            cost: Math.round(used.cost * share),
          };
          rows.push({ ...rowOf(tenant, { of, model, bucket }), costIsEstimate: true });
        }
      }
    }
  }
  return [...Map.groupBy(rows, ({ name }) => name).values()].map((group) => group.reduce(plusRow));
}

/** Start of the month of a time, in milliseconds since 1970. */
export function startOfMonth(now: number): number {
  return startOf(monthOf(new Date(now).toISOString()));
}
