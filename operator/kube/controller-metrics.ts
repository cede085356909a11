/** The metrics of a controller, with the names of controller-runtime. */
import type { Registry } from 'prom-client';
import { counter, gauge, histogram } from './metrics.ts';

export type ReconcileOutcome = 'success' | 'error' | 'requeue' | 'requeue_after';

/** What a controller reports about itself. */
export interface ControllerObserver {
  started(): void;
  finished(seconds: number): void;
  result(outcome: ReconcileOutcome): void;
  panic(): void;
  timeout(): void;
  staleCache(): void;
}

const OUTCOMES: readonly ReconcileOutcome[] = ['success', 'error', 'requeue', 'requeue_after'];

/** controller-runtime's buckets of the reconcile duration. */
const BUCKETS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25,
  1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
];

const ignore = () => {};
const SILENT: ControllerObserver = {
  started: ignore,
  finished: ignore,
  result: ignore,
  panic: ignore,
  timeout: ignore,
  staleCache: ignore,
};

/** An observer that updates the `controller_runtime_*` metrics, which start at zero. Does nothing without a registry. */
export function observeController(
  registry: Registry | undefined,
  controller: string,
  concurrency: number,
): ControllerObserver {
  if (registry === undefined) {
    return SILENT;
  }
  const labels = { controller };
  const count = (name: string, help: string) => {
    const metric = counter(registry, { name, help, labelNames: ['controller'] });
    metric.inc(labels, 0);
    return () => metric.inc(labels);
  };
  const results = counter(registry, {
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciles by result.',
    labelNames: ['controller', 'result'],
  });
  for (const result of OUTCOMES) {
    results.inc({ controller, result }, 0);
  }
  const errors = count('controller_runtime_reconcile_errors_total', 'Reconciles that failed.');
  const seconds = histogram(registry, {
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'How long reconciles took.',
    labelNames: ['controller'],
    buckets: BUCKETS,
  });
  const show = (name: string, help: string, value: number) => {
    const metric = gauge(registry, { name, help, labelNames: ['controller'] });
    metric.set(labels, value);
    return metric;
  };
  const active = show('controller_runtime_active_workers', 'Reconciles that are running.', 0);
  show('controller_runtime_max_concurrent_reconciles', 'Reconciles that may run at once.', concurrency);
  return {
    started: () => active.inc(labels),
    finished(duration) {
      active.dec(labels);
      seconds.observe(labels, duration);
    },
    result(outcome) {
      results.inc({ controller, result: outcome });
      if (outcome === 'error') {
        errors();
      }
    },
    panic: count(
      'controller_runtime_reconcile_panics_total',
      'Reconciles that failed by a mistake in the code.',
    ),
    timeout: count('controller_runtime_reconcile_timeouts_total', 'Reconciles that ran out of time.'),
    staleCache: count(
      'controller_runtime_stale_cache_skips_total',
      'Reconciles put off until the local copies had caught up with own writes.',
    ),
  };
}
