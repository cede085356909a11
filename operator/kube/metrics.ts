/** Metrics that several instances share. They are registered once per registry and then found by name. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { ScrapedGauge } from './scraped-gauge.ts';

interface MetricOptions<L extends string> {
  name: string;
  help: string;
  labelNames: readonly L[];
}

function isKind<M>(metric: unknown, kind: new (...args: never[]) => M): metric is M {
  return metric instanceof kind;
}

function shared<M>(registry: Registry, name: string, kind: new (...args: never[]) => M, create: () => M): M {
  const existing = registry.getSingleMetric(name);
  if (existing === undefined) {
    return create();
  }
  if (!isKind(existing, kind)) {
    throw new TypeError(`metric ${name} is already registered as another type`);
  }
  return existing;
}

/** The counter of this name in the registry. */
export function counter<L extends string>(registry: Registry, options: MetricOptions<L>): Counter<L> {
  return shared<Counter<L>>(
    registry,
    options.name,
    Counter,
    () => new Counter({ ...options, registers: [registry] }),
  );
}

/** The gauge of this name in the registry. */
export function gauge<L extends string>(registry: Registry, options: MetricOptions<L>): Gauge<L> {
  return shared<Gauge<L>>(
    registry,
    options.name,
    Gauge,
    () => new Gauge({ ...options, registers: [registry] }),
  );
}

/** The histogram of this name in the registry. */
export function histogram<L extends string>(
  registry: Registry,
  options: MetricOptions<L> & { buckets: number[] },
): Histogram<L> {
  return shared<Histogram<L>>(
    registry,
    options.name,
    Histogram,
    () => new Histogram({ ...options, registers: [registry] }),
  );
}

/** The gauge of this name in the registry, computed when it is read. */
export function scrapedGauge<L extends string>(
  registry: Registry,
  options: MetricOptions<L>,
): ScrapedGauge<L> {
  return shared<ScrapedGauge<L>>(
    registry,
    options.name,
    ScrapedGauge,
    () => new ScrapedGauge({ ...options, registers: [registry] }),
  );
}
