/** The HorizontalPodAutoscaler of a model; as a whole it is among the golden files. */
import { expect, it } from 'vitest';
import { renderHpa } from '../../../operator/render/hpa.ts';
import { merged, resolved } from '../model/support/resolve.ts';
import { model, pool } from './support/objects.ts';

const SOURCE = 'hf://meta-llama/Llama-3.1-8B-Instruct';
const a100 = pool('A100');
const bounds = { minReplicas: 0, maxReplicas: 4 };

interface Hpa {
  spec: {
    minReplicas: number;
    maxReplicas: number;
    behavior?: { scaleUp?: { tolerance?: string } };
    metrics: { external: { metric: { selector: { matchLabels: object } }; target: object } }[];
  };
}
const render = (scaling: object | undefined, more: object = bounds): Hpa =>
  renderHpa(resolved(a100, model(SOURCE, scaling && { scaling })), {
    ...bounds,
    ...more,
  }) as unknown as Hpa;

it('never has less than one replica as minimum, nor a maximum below the minimum', () => {
  expect(render(undefined).spec).toMatchObject({ minReplicas: 1, maxReplicas: 4 });
  expect(render(undefined, { minReplicas: 6 }).spec).toMatchObject({ minReplicas: 6, maxReplicas: 6 });
  expect(render(undefined, { minReplicas: 0, maxReplicas: 0 }).spec).toMatchObject({
    minReplicas: 1,
    maxReplicas: 1,
  });
});

it('aims at 70 % of what a replica runs at once, or at what the model says', () => {
  const { maxNumSeqs } = merged(a100, model(SOURCE));
  expect(render(undefined).spec.metrics[0]?.external.target).toEqual({
    type: 'AverageValue',
    averageValue: String(Math.floor(maxNumSeqs * 0.7)),
  });
  expect(render({ target: 9 }).spec.metrics[0]?.external.target).toMatchObject({ averageValue: '9' });
});

it('has behavior only where the model has it, and tolerances as the API server writes them', () => {
  expect(render({ maxReplicas: 4 }).spec).not.toHaveProperty('behavior');
  const tolerance = (text: string) =>
    render({ behavior: { scaleUp: { tolerance: text } } }).spec.behavior?.scaleUp?.tolerance;
  expect(['0.1', '1', '0.0005', '1.25'].map(tolerance)).toEqual(['100m', '1', '500u', '1250m']);
});
