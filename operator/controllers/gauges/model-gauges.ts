/** Gauges of every model. */
import type { Registry } from 'prom-client';
import type { InferenceModel } from '../../api/types.ts';
import { scrapedGauge } from '../../kube/metrics.ts';
import { MODEL_LABELS, type ModelSeries, modelSeries } from './model-series.ts';

interface ModelGauge {
  name: string;
  help: string;
  /** A label besides those of the model. */
  label?: string;
  /** The values by that label, or one value under `''`. What is undefined has no series. */
  values: (series: ModelSeries) => Record<string, number | undefined>;
}

const GAUGES: readonly ModelGauge[] = [
  {
    name: 'vllm_operator_model_state',
    help: 'State of each model: 1 for the present one.',
    label: 'state',
    values: ({ state }) => ({ [state]: 1 }),
  },
  {
    name: 'vllm_operator_model_available',
    help: 'Whether a request for the model would be answered now, if necessary by waking it.',
    values: ({ available }) => ({ '': Number(available) }),
  },
  {
    name: 'vllm_operator_model_stalled',
    help: 'Models for which a user has to act, by reason.',
    label: 'reason',
    values: ({ stalled }) => (stalled === undefined ? {} : { [stalled]: 1 }),
  },
  {
    name: 'vllm_operator_model_accelerators',
    help: 'Accelerators that the pods of each model use, of models that use any.',
    values: ({ accelerators }) => ({ '': accelerators || undefined }),
  },
  {
    name: 'vllm_operator_model_hourly_cost',
    help: 'Price of those per hour, where the pool has a price.',
    values: ({ hourlyCost }) => ({ '': hourlyCost || undefined }),
  },
  {
    name: 'vllm_operator_model_queue_position',
    help: 'Position of models that wait for accelerators; 1 is next.',
    values: ({ queuePosition }) => ({ '': queuePosition }),
  },
];

/**
 * Registers the gauges, and shows the models on each scrape until the returned function is called.
 * @param most models with series of their own; default `MAX_MODELS`
 */
export function showModels(
  registry: Registry,
  models: () => readonly InferenceModel[],
  most?: number,
): () => void {
  const gauges = GAUGES.map(({ name, help, label, values }) => {
    const labelNames = label === undefined ? MODEL_LABELS : [...MODEL_LABELS, label];
    return { gauge: scrapedGauge<string>(registry, { name, help, labelNames }), label, values };
  });
  const reset = () => {
    for (const { gauge } of gauges) gauge.reset();
  };
  // A scrape reads them in the order of their registration, so the first one fills all.
  const stop = gauges[0]?.gauge.onScrape(() => {
    reset();
    for (const series of modelSeries(models(), most)) {
      for (const { gauge, label, values } of gauges) {
        for (const [key, value] of Object.entries(values(series))) {
          // Models without series of their own add up.
          if (value !== undefined)
            gauge.inc({ ...series.labels, ...(label !== undefined && { [label]: key }) }, value);
        }
      }
    }
  });
  return () => {
    stop?.();
    reset();
  };
}
