/** The usage of models and pools as their status shows it. The recorder writes it, the reconcilers read it. */
import type { UsageStatus } from '../../api/status.ts';
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { type Clock, secondTime } from '../../kube/clock.ts';
import { keyOf } from '../../kube/key.ts';
import { PerObject } from '../../kube/per-object.ts';
import type { WorkQueue } from '../../kube/work-queue.ts';
import { type Bucket, isUse } from '../../usage/bucket.ts';
import type { Ledger } from '../../usage/ledger.ts';
import { HOUR_MS } from '../../usage/periods.ts';
import { sumOfWindows, WindowSums, type Windows } from '../../usage/windows.ts';
import { decimalText } from '../../values/decimal-text.ts';
import type { ClusterState } from '../shared/cluster-state.ts';

/** Rounds are left out where many models use something, so that they cause at most ten writes a second. */
const MS_PER_MODEL = 100;

export interface UsageStatusesOptions {
  state: Pick<ClusterState, 'models' | 'pools'>;
  /** Objects with a new status. */
  queues: Record<'inferencemodel' | 'inferencepool', Pick<WorkQueue, 'add'>>;
  clock: Clock;
}

export class UsageStatuses {
  readonly #state: UsageStatusesOptions['state'];
  readonly #queues: UsageStatusesOptions['queues'];
  readonly #clock: Clock;
  readonly #sums = new WindowSums();
  readonly #models: PerObject<UsageStatus>;
  readonly #pools: PerObject<UsageStatus>;
  /** By pool: models whose usage has changed since the last update, and when that was in monotonic milliseconds. */
  readonly #pending: PerObject<{ changed: Set<string>; at: number }>;

  constructor({ state, queues, clock }: UsageStatusesOptions) {
    this.#state = state;
    this.#queues = queues;
    this.#clock = clock;
    this.#models = new PerObject(state.models.store);
    this.#pools = new PerObject(state.pools.store);
    this.#pending = new PerObject(state.pools.store);
  }

  /** Undefined if this process has not accounted any use of the object. */
  of({ kind, metadata }: InferenceModel | InferencePool): UsageStatus | undefined {
    return (kind === 'InferencePool' ? this.#pools : this.#models).get(metadata.uid);
  }

  /**
   * Takes the ledgers of a pool, and what was added to its models (`namespace/name`). Queues what has a new status. Time
   * asleep alone is no reason for one: a pool may have thousands of models that sleep.
   */
  update(
    pool: InferencePool,
    ledgers: ReadonlyMap<string, Ledger>,
    added: Iterable<readonly [string, Bucket]>,
  ): void {
    const { uid } = pool.metadata;
    const pending = this.#pending.getOr(uid, () => ({ changed: new Set(), at: Number.NEGATIVE_INFINITY }));
    for (const [key, bucket] of added) if (isUse(bucket)) pending.changed.add(key);
    const now = this.#clock.monotonic();
    if (pending.changed.size === 0 || now - pending.at < pending.changed.size * MS_PER_MODEL) return;
    const price = pool.spec.accelerator.hourlyCost;
    const all: Windows[] = [];
    for (const [namespace, ledger] of ledgers) {
      for (const [name, windows] of this.#sums.of(ledger, this.#clock.now())) {
        all.push(windows);
        const key = `${namespace}/${name}`;
        if (pending.changed.has(key)) this.#set(key, windows, price);
      }
    }
    this.#pools.set(uid, this.#status(sumOfWindows(all), price));
    this.#queues.inferencepool.add(keyOf(pool));
    this.#pending.set(uid, { changed: new Set(), at: now });
  }

  #set(key: string, windows: Windows, price: string | undefined): void {
    const model = this.#state.models.store.get(key);
    if (!model) return;
    this.#models.set(model.metadata.uid, this.#status(windows, price));
    this.#queues.inferencemodel.add(key);
  }

  #status({ hour, day, month }: Windows, price: string | undefined): UsageStatus {
    const time = secondTime(this.#clock.now());
    return { time, hour: used(hour, price), day: used(day, price), month: used(month, price) };
  }
}

/** What is zero is left out. Prices of what was saved are those of now. */
function used(bucket: Bucket, price: string | undefined): UsageStatus['hour'] {
  const { acceleratorMs, pricedMs, cost, asleepMs, cachedTokens, promptTokens, completionTokens } = bucket;
  const computed = promptTokens + completionTokens;
  const saved = computed > 0 ? Math.floor((cachedTokens * acceleratorMs) / computed / 1_000) : 0;
  const asleep = Math.floor(asleepMs / 1_000);
  const counts = {
    requests: bucket.requests,
    promptTokens,
    completionTokens,
    cachedTokens,
    cacheSavedAcceleratorSeconds: Math.min(saved, Number.MAX_SAFE_INTEGER),
    sleepSavedAcceleratorSeconds: asleep,
  };
  return {
    acceleratorSeconds: Math.floor(acceleratorMs / 1_000),
    ...(pricedMs > 0 && { cost: decimalText(cost / 1e9, 2) }),
    ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
    ...(asleep > 0 &&
      price !== undefined && { sleepSavedCost: decimalText((asleepMs / HOUR_MS) * Number(price), 2) }),
  };
}
