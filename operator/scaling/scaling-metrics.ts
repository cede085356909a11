/** Metrics of the scaling of all models. Events report the same for each model. */
import type { Registry } from 'prom-client';
import { ENGINE_PROBLEMS } from '../api/reasons.ts';
import { counter } from '../kube/metrics.ts';
import type { AutoscalerDecision } from './internal-autoscaler.ts';
import type { WakeFailureReason } from './phase.ts';

type Change = 'Woken' | 'Slept' | 'Scaled';

/** Label values match the reasons of the events. */
export interface ScalingMetrics {
  /** The operator changed the replicas. */
  changed: (reason: Change) => void;
  /** A wake failed. */
  failed: (reason: WakeFailureReason) => void;
  /** The operator's autoscaler decided. */
  decided: (reason: AutoscalerDecision['reason']) => void;
  /** Models were put to sleep for other models. */
  evicted: (models: number) => void;
}

const WAKE_FAILURES: readonly WakeFailureReason[] = [...ENGINE_PROBLEMS, 'WakeTimeout'];
const CHANGES: readonly Change[] = ['Woken', 'Slept', 'Scaled'];
const DECISIONS: readonly AutoscalerDecision['reason'][] = ['Hold', 'NoData', 'Stable', 'Panic', 'Limits'];

/** Registers the counters. Series with known labels start at zero. Without a registry nothing is counted. */
export function scalingMetrics(registry: Registry | undefined): ScalingMetrics {
  if (!registry) return { changed: () => {}, failed: () => {}, decided: () => {}, evicted: () => {} };
  const labelNames = ['reason'] as const;
  const changes = counter(registry, {
    name: 'vllm_operator_replica_changes_total',
    help: 'Replica changes by the operator: Woken, Slept, or Scaled between one and the maximum.',
    labelNames,
  });
  const failures = counter(registry, {
    name: 'vllm_operator_wake_failures_total',
    help: 'Failed wakes, by reason.',
    labelNames,
  });
  const decisions = counter(registry, {
    name: 'vllm_operator_autoscaler_decisions_total',
    help: "Decisions of the operator's autoscaler: Hold, NoData, Stable, Panic, or Limits (by bounds or behavior).",
    labelNames,
  });
  const evictions = counter(registry, {
    name: 'vllm_operator_budget_evictions_total',
    help: 'Models put to sleep to free accelerators for other models.',
    labelNames: [],
  });
  for (const reason of CHANGES) changes.inc({ reason }, 0);
  for (const reason of DECISIONS) decisions.inc({ reason }, 0);
  for (const reason of WAKE_FAILURES) failures.inc({ reason }, 0);
  return {
    changed: (reason) => changes.inc({ reason }),
    failed: (reason) => failures.inc({ reason }),
    decided: (reason) => decisions.inc({ reason }),
    evicted: (models) => evictions.inc(models),
  };
}
