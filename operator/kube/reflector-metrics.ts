/** Metrics of a reflector, named like those of client-go. */
import type { Registry } from 'prom-client';
import { counter, gauge, histogram } from './metrics.ts';
import type { ResourceType } from './object.ts';
import { typeName } from './resource-types.ts';

/** Does nothing without a registry. */
export class ReflectorMetrics {
  readonly #listed: (cause: string, items: number, ms: number) => void;
  readonly #watched: () => void;
  readonly #failed: (code: string) => void;
  readonly #event: (nowMs: number, items: number) => void;

  constructor(registry: Registry | undefined, type: ResourceType) {
    if (registry === undefined) {
      this.#listed = this.#watched = this.#failed = this.#event = () => {};
      return;
    }
    const resource = typeName(type);
    const lists = counter(registry, {
      name: 'reflector_lists_total',
      help: 'Lists by resource and cause: start, or expired for a relist.',
      labelNames: ['resource', 'cause'],
    });
    const duration = histogram(registry, {
      name: 'reflector_list_duration_seconds',
      help: 'Time to list a resource, all pages.',
      labelNames: ['resource'],
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60],
    });
    const watches = counter(registry, {
      name: 'reflector_watches_total',
      help: 'Watches opened.',
      labelNames: ['resource'],
    });
    const failures = counter(registry, {
      name: 'reflector_failures_total',
      help: 'Lists and watches that failed, by error code.',
      labelNames: ['resource', 'code'],
    });
    const items = gauge(registry, {
      name: 'reflector_items',
      help: 'Objects in the local copy.',
      labelNames: ['resource'],
    });
    const lastEvent = gauge(registry, {
      name: 'reflector_last_event_timestamp_seconds',
      help: 'When the last event or bookmark arrived.',
      labelNames: ['resource'],
    });
    lists.inc({ resource, cause: 'expired' }, 0);
    this.#listed = (cause, count, ms) => {
      lists.inc({ resource, cause });
      duration.observe({ resource }, ms / 1000);
      items.set({ resource }, count);
    };
    this.#watched = () => watches.inc({ resource });
    this.#failed = (code) => failures.inc({ resource, code });
    this.#event = (nowMs, count) => {
      lastEvent.set({ resource }, nowMs / 1000);
      items.set({ resource }, count);
    };
  }

  listed(cause: string, items: number, ms: number): void {
    this.#listed(cause, items, ms);
  }

  watched(): void {
    this.#watched();
  }

  failed(code: string): void {
    this.#failed(code);
  }

  event(nowMs: number, items: number): void {
    this.#event(nowMs, items);
  }
}
