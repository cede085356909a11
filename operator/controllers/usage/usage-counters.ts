/** Counts usage in the metrics of the leader. Each process begins at zero, as counters do; the record has the sums. */
import type { Counter, Registry } from 'prom-client';
import type { InferenceModel } from '../../api/types.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import { counter } from '../../kube/metrics.ts';
import type { Store } from '../../kube/store.ts';
import { poolKeyOf } from '../../model/pool-key.ts';
import type { Bucket } from '../../usage/bucket.ts';
import { OTHER } from '../../usage/ledger.ts';
import { MODEL_LABELS, type ModelLabels } from '../gauges/model-series.ts';

/** Most models of a namespace with series of their own. */
const MAX_MODELS = 500;

const COUNTERS: readonly { name: string; help: string; of: (bucket: Bucket) => number }[] = [
  {
    name: 'vllm_operator_model_accelerator_seconds_total',
    help: 'Accelerators that pods of each model held, times the seconds.',
    of: ({ acceleratorMs }) => acceleratorMs / 1_000,
  },
  {
    name: 'vllm_operator_model_cost_total',
    help: 'Price of those, where the pool has a price.',
    of: ({ cost }) => cost / 1e9,
  },
  {
    name: 'vllm_operator_model_ready_replica_seconds_total',
    help: 'Seconds of ready replicas of each model.',
    of: ({ readyMs }) => readyMs / 1_000,
  },
  {
    name: 'vllm_operator_model_asleep_accelerator_seconds_total',
    help: 'Accelerators that one replica of each model would have held while it slept, times the seconds. Counted when it wakes.',
    of: ({ asleepMs }) => asleepMs / 1_000,
  },
  {
    name: 'vllm_operator_model_cached_tokens_total',
    help: 'Tokens of answers of the response cache, which no engine computed.',
    of: ({ cachedTokens }) => cachedTokens,
  },
];

export class UsageCounters {
  readonly #counters: readonly { counter: Counter<string>; of: (bucket: Bucket) => number }[];
  /** Labels of the series by model, and how many each namespace has. */
  readonly #series = new Map<Key, ModelLabels>();
  readonly #counts = new Map<string, number>();

  readonly #models: Store<InferenceModel>;

  /** Series of deleted models and of those that moved to another pool end. */
  constructor(registry: Registry, models: Store<InferenceModel>) {
    this.#models = models;
    this.#counters = COUNTERS.map(({ name, help, of }) => ({
      counter: counter<string>(registry, { name, help, labelNames: MODEL_LABELS }),
      of,
    }));
    models.subscribe(({ old, new: now }) => {
      if (old && (!now || poolKeyOf(old) !== poolKeyOf(now))) this.#end(keyOf(old));
    });
  }

  /** Adds what a model used in a pool. */
  add(pool: Key, model: { namespace: string; name: string }, more: Bucket): void {
    const labels = this.#labelsOf(pool, model);
    for (const { counter: each, of } of this.#counters) {
      const amount = of(more);
      if (amount > 0) each.inc(labels, amount);
    }
  }

  #labelsOf(pool: Key, { namespace, name }: { namespace: string; name: string }): ModelLabels {
    const key = `${namespace}/${name}`;
    const known = this.#series.get(key);
    const model = this.#models.get(key);
    const count = this.#counts.get(namespace) ?? 0;
    if (!model || poolKeyOf(model) !== pool || (!known && count >= MAX_MODELS))
      return { namespace, model: OTHER, pool_namespace: OTHER, pool: OTHER };
    if (known) return known;
    const [poolNamespace = '', poolName = ''] = pool.split('/');
    const labels = { namespace, model: name, pool_namespace: poolNamespace, pool: poolName };
    this.#series.set(key, labels);
    this.#counts.set(namespace, count + 1);
    return labels;
  }

  #end(key: Key): void {
    const labels = this.#series.get(key);
    if (!labels) return;
    this.#series.delete(key);
    const count = (this.#counts.get(labels.namespace) ?? 1) - 1;
    if (count > 0) this.#counts.set(labels.namespace, count);
    else this.#counts.delete(labels.namespace);
    for (const { counter: each } of this.#counters) each.remove(labels);
  }
}
