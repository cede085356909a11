/** The metrics of a work queue, with client-go's names. */
import type { Registry } from 'prom-client';
import type { Clock } from './clock.ts';
import type { Key } from './key.ts';
import { counter, gauge, histogram, scrapedGauge } from './metrics.ts';

/** What a queue reports about itself. */
export interface QueueObserver {
  added(key: Key, priority: number): void;
  /** The priority of a waiting key has changed. */
  moved(from: number, to: number): void;
  started(key: Key, priority: number): void;
  finished(key: Key): void;
  retried(): void;
  close(): void;
}

const ignore = () => {};
const SILENT: QueueObserver = {
  added: ignore,
  moved: ignore,
  started: ignore,
  finished: ignore,
  retried: ignore,
  close: ignore,
};

/** client-go's buckets: powers of ten from 10 ns to 1000 s. */
const BUCKETS = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100, 1000];

function queueMetrics(registry: Registry) {
  const labelNames = ['name', 'controller'] as const;
  const depth = gauge(registry, {
    name: 'workqueue_depth',
    help: 'Keys that wait for a worker, by priority.',
    labelNames: [...labelNames, 'priority'],
  });
  const adds = counter(registry, { name: 'workqueue_adds_total', help: 'Keys added.', labelNames });
  const retries = counter(registry, {
    name: 'workqueue_retries_total',
    help: 'Keys added again after a failure.',
    labelNames,
  });
  const queueTime = histogram(registry, {
    name: 'workqueue_queue_duration_seconds',
    help: 'How long a key waited for a worker.',
    labelNames,
    buckets: BUCKETS,
  });
  const workTime = histogram(registry, {
    name: 'workqueue_work_duration_seconds',
    help: 'How long a key was worked on.',
    labelNames,
    buckets: BUCKETS,
  });
  const unfinished = scrapedGauge(registry, {
    name: 'workqueue_unfinished_work_seconds',
    help: 'Sum of the time that keys have been worked on up to now.',
    labelNames,
  });
  const longest = scrapedGauge(registry, {
    name: 'workqueue_longest_running_processor_seconds',
    help: 'How long the oldest key has been worked on up to now.',
    labelNames,
  });
  return { depth, adds, retries, queueTime, workTime, unfinished, longest };
}

/** An observer that updates the `workqueue_*` metrics. Does nothing without a registry. */
export function observeQueue(registry: Registry | undefined, name: string, clock: Clock): QueueObserver {
  if (registry === undefined) {
    return SILENT;
  }
  const labels = { name, controller: name };
  const { depth, adds, retries, queueTime, workTime, unfinished, longest } = queueMetrics(registry);
  const addedAt = new Map<Key, number>();
  const startedAt = new Map<Key, number>();
  const running = () => [...startedAt.values()].map((start) => (clock.monotonic() - start) / 1000);
  const stop = [
    unfinished.onScrape(() =>
      unfinished.set(
        labels,
        running().reduce((sum, age) => sum + age, 0),
      ),
    ),
    longest.onScrape(() => longest.set(labels, Math.max(0, ...running()))),
  ];
  adds.inc(labels, 0);
  retries.inc(labels, 0);
  depth.set({ ...labels, priority: '0' }, 0);
  return {
    added(key, priority) {
      adds.inc(labels);
      depth.inc({ ...labels, priority: String(priority) });
      addedAt.set(key, clock.monotonic());
    },
    moved(from, to) {
      depth.dec({ ...labels, priority: String(from) });
      depth.inc({ ...labels, priority: String(to) });
    },
    started(key, priority) {
      const now = clock.monotonic();
      depth.dec({ ...labels, priority: String(priority) });
      queueTime.observe(labels, (now - (addedAt.get(key) ?? now)) / 1000);
      addedAt.delete(key);
      startedAt.set(key, now);
    },
    finished(key) {
      const now = clock.monotonic();
      workTime.observe(labels, (now - (startedAt.get(key) ?? now)) / 1000);
      startedAt.delete(key);
    },
    retried: () => retries.inc(labels),
    close() {
      for (const unsubscribe of stop) {
        unsubscribe();
      }
    },
  };
}
