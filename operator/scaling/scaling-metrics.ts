/** What the scaling of all models did, counted. Events say it of each model. */
import type { Registry } from 'prom-client';
import { counter } from '../kube/metrics.ts';
import type { AutoscalerDecision } from './internal-autoscaler.ts';

type Change = 'Woken' | 'Slept' | 'Scaled';

/** Names are those of the events. */
export interface ScalingMetrics {
  /** The operator wrote another number of replicas. */
  changed: (reason: Change) => void;
  /** A wake was given up. */
  failed: (reason: string) => void;
  /** The own loop decided. */
  decided: (reason: AutoscalerDecision['reason']) => void;
  /** Models were put to sleep for others. */
  evicted: (models: number) => void;
}

const CHANGES: readonly Change[] = ['Woken', 'Slept', 'Scaled'];
const DECISIONS: readonly AutoscalerDecision['reason'][] = ['Hold', 'NoData', 'Stable', 'Panic', 'Limits'];

/** Counters in the registry, zero from the start where their labels are known; without a registry nothing is counted. */
export function scalingMetrics(registry: Registry | undefined): ScalingMetrics {
  if (!registry) return { changed: () => {}, failed: () => {}, decided: () => {}, evicted: () => {} };
  const labelNames = ['reason'] as const;
  const changes = counter(registry, {
    name: 'vllm_operator_replica_changes_total',
    help: 'Changes of replicas that the operator made: Woken, Slept, or Scaled between one and the most.',
    labelNames,
  });
  const failures = counter(registry, {
    name: 'vllm_operator_wake_failures_total',
    help: 'Wakes that did not end in service, by reason.',
    labelNames,
  });
  const decisions = counter(registry, {
    name: 'vllm_operator_autoscaler_decisions_total',
    help: "Decisions of the operator's own loop: Hold, NoData, Stable, Panic, or Limits (by bounds or behavior).",
    labelNames,
  });
  const evictions = counter(registry, {
    name: 'vllm_operator_budget_evictions_total',
    help: 'Models put to sleep to make room for others.',
    labelNames: [],
  });
  for (const reason of CHANGES) changes.inc({ reason }, 0);
  for (const reason of DECISIONS) decisions.inc({ reason }, 0);
  return {
    changed: (reason) => changes.inc({ reason }),
    failed: (reason) => failures.inc({ reason }),
    decided: (reason) => decisions.inc({ reason }),
    evicted: (models) => evictions.inc(models),
  };
}
