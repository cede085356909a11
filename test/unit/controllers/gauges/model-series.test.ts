import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { showModels } from '../../../../operator/controllers/gauges/model-gauges.ts';
import { modelSeries } from '../../../../operator/controllers/gauges/model-series.ts';
import { aModel } from '../fixtures.ts';

/** Models of a namespace, with these names. */
const models = (namespace: string, count: number) =>
  Array.from({ length: count }, (_, i) => aModel(`m${i}`, {}, { namespace }));

function shown(all: ReturnType<typeof modelSeries>): Record<string, string[]> {
  const byNamespace = Object.groupBy(all, ({ labels }) => labels.namespace);
  return Object.fromEntries(
    Object.entries(byNamespace).map(([name, list = []]) => [name, list.map(({ labels }) => labels.model)]),
  );
}

describe('series of models', () => {
  it('are cut where a namespace has many models, not where it has few', () => {
    const all = [...models('large', 6), ...models('small', 2), ...models('medium', 4)];
    expect(shown(modelSeries(all, 8))).toEqual({
      large: ['m0', 'm1', 'm2', '(other)', '(other)', '(other)'],
      small: ['m0', 'm1'],
      medium: ['m0', 'm1', 'm2', '(other)'],
    });
  });

  it('have all models if there is room', () => {
    expect(shown(modelSeries(models('a', 3), 3))).toEqual({ a: ['m0', 'm1', 'm2'] });
  });

  it('do not grow with the pools that models name', () => {
    const all = Array.from({ length: 20 }, (_, i) => aModel(`m${i}`, { poolRef: { name: `pool${i}` } }));
    const series = modelSeries(all, 2).map(({ labels }) => JSON.stringify(labels));
    expect(new Set(series).size).toBe(3);
  });

  it('add up what has no series of its own', async () => {
    const registry = new Registry();
    const many = models('a', 5).map((model) => ({ ...model, status: { accelerators: 2 } }));
    const hide = showModels(registry, () => many, 3);
    const text = await registry.metrics();
    const labels = 'namespace="a",model="(other)",pool_namespace="(other)",pool="(other)"';
    expect(text).toContain(`vllm_operator_model_accelerators{${labels}} 4\n`);
    expect(text.match(/^vllm_operator_model_accelerators\{/gm)).toHaveLength(4);
    hide();
    expect(await registry.metrics()).not.toMatch(/^vllm_operator_model_accelerators\{/m);
  });
});
