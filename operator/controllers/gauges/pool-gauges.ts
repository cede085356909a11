/** Gauges of every pool: its conditions, its budget and its quotas. */
import type { Registry } from 'prom-client';
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { scrapedGauge } from '../../kube/metrics.ts';
import type { ScrapedGauge } from '../../kube/scraped-gauge.ts';
import type { Charged } from '../acceptance/acceptance-cache.ts';

export interface PoolSource {
  pools: () => readonly InferencePool[];
  models: (pool: InferencePool) => readonly InferenceModel[];
  /** Accelerators that the grants of a pool reserve; undefined with overcommit, where none are. */
  charged: (pool: InferencePool) => Charged | undefined;
  /** Budgets of money by namespace, and what is used of them. */
  budgets: (pool: InferencePool) => readonly { namespace: string; limit: number; used: number }[];
}

const CONDITION_VALUES = { True: 1, False: 0, Unknown: undefined } as const;

/** Registers the gauges, and shows the pools on each scrape until the returned function is called. */
export function showPools(registry: Registry, source: PoolSource): () => void {
  const stops = [showConditions, showBudgets, showMoney, showQuotas].map((show) => show(registry, source));
  return () => {
    for (const stop of stops) stop();
  };
}

function showConditions(registry: Registry, source: PoolSource): () => void {
  const gauge = scrapedGauge(registry, {
    name: 'vllm_operator_pool_condition',
    help: 'Conditions of each pool: 1 for True, 0 for False.',
    labelNames: ['namespace', 'pool', 'type'],
  });
  return showOnScrape(gauge, () => {
    for (const { metadata, status } of source.pools()) {
      for (const { type, status: value } of status?.conditions ?? []) {
        const number = CONDITION_VALUES[value];
        if (number !== undefined) gauge.set({ ...labelsOf(metadata), type }, number);
      }
    }
  });
}

function showBudgets(registry: Registry, source: PoolSource): () => void {
  const gauge = scrapedGauge(registry, {
    name: 'vllm_operator_pool_accelerators',
    help: 'Accelerators of each pool: its limit, those in use, and those that accepted models are charged for.',
    labelNames: ['namespace', 'pool', 'type'],
  });
  return showOnScrape(gauge, () => {
    for (const pool of source.pools()) {
      const limit = pool.spec.capacity.accelerators;
      const types = { limit, used: used(source.models(pool)), charged: source.charged(pool)?.total };
      for (const [type, value] of Object.entries(types))
        if (value !== undefined) gauge.set({ ...labelsOf(pool.metadata), type }, value);
    }
  });
}

function showMoney(registry: Registry, source: PoolSource): () => void {
  const gauge = scrapedGauge(registry, {
    name: 'vllm_operator_namespace_budget',
    help: 'Money of each namespace with a budget in a pool: its limit of the month, and what is used of it.',
    labelNames: ['namespace', 'pool_namespace', 'pool', 'type'],
  });
  return showOnScrape(gauge, () => {
    for (const pool of source.pools()) {
      const { namespace: pool_namespace, pool: name } = labelsOf(pool.metadata);
      for (const { namespace, limit, used: spent } of source.budgets(pool)) {
        for (const [type, value] of Object.entries({ limit, used: spent }))
          gauge.set({ namespace, pool_namespace, pool: name, type }, value);
      }
    }
  });
}

function showQuotas(registry: Registry, source: PoolSource): () => void {
  const gauge = scrapedGauge(registry, {
    name: 'vllm_operator_namespace_accelerators',
    help: 'Accelerators of each namespace with a quota in a pool: its limit, those in use, and those that accepted models are charged for.',
    labelNames: ['namespace', 'pool_namespace', 'pool', 'type'],
  });
  return showOnScrape(gauge, () => {
    for (const pool of source.pools()) {
      const { namespaceQuotas = [] } = pool.spec.capacity;
      if (namespaceQuotas.length === 0) continue;
      const { namespace: pool_namespace, pool: name } = labelsOf(pool.metadata);
      const byNamespace = Map.groupBy(source.models(pool), ({ metadata }) => metadata.namespace ?? '');
      const charged = source.charged(pool);
      for (const { namespace, accelerators: limit } of namespaceQuotas) {
        const types = {
          limit,
          used: used(byNamespace.get(namespace) ?? []),
          charged: charged?.of(namespace),
        };
        for (const [type, value] of Object.entries(types))
          if (value !== undefined) gauge.set({ namespace, pool_namespace, pool: name, type }, value);
      }
    }
  });
}

/** Runs `show` on each scrape, with an empty gauge. Empties the gauge when the returned function is called. */
function showOnScrape<L extends string>(gauge: ScrapedGauge<L>, show: () => void): () => void {
  const stop = gauge.onScrape(() => {
    gauge.reset();
    show();
  });
  return () => {
    stop();
    gauge.reset();
  };
}

function used(models: readonly InferenceModel[]): number {
  return models.reduce((sum, { status }) => sum + (status?.accelerators ?? 0), 0);
}

function labelsOf({ namespace = '', name }: InferencePool['metadata']) {
  return { namespace, pool: name };
}
