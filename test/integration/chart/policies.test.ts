/** The admission policies of the chart: their expressions, evaluated as an API server does. */
import { describe, expect, it } from 'vitest';
import { kubernetesEnvironment } from '../../../hack/devcluster/apiserver/cel/library.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { renderChart } from './support/chart.ts';
import { VALUE_SETS } from './support/value-sets.ts';

interface Policy extends KubeObject {
  spec: {
    matchConditions: { expression: string }[];
    variables: { name: string; expression: string }[];
    validations: { expression: string; message?: string; messageExpression?: string }[];
  };
}

type Spec = Record<string, unknown>;

const objects = await renderChart(VALUE_SETS.policies);
const environment = kubernetesEnvironment();
for (const name of ['object', 'oldObject', 'request', 'variables'] as const)
  environment.registerVariable(name, 'dyn');

function policy(name: string): Policy['spec'] {
  const found = objects.find(
    ({ kind, metadata }) => kind === 'ValidatingAdmissionPolicy' && metadata.name === name,
  );
  if (!found) throw new Error(`the chart has no policy ${name}`);
  return (found as Policy).spec;
}

/** What a policy says to a new object; empty: it is taken. */
function refusals(name: string, spec: Spec): string[] {
  const { variables, validations } = policy(name);
  const context: Record<string, unknown> = { object: { spec }, request: { namespace: 'team-a' } };
  context.variables = Object.fromEntries(
    variables.map((variable) => [variable.name, environment.evaluate(variable.expression, context)]),
  );
  return validations
    .filter(({ expression }) => environment.evaluate(expression, context) !== true)
    .map(({ message, messageExpression }) =>
      messageExpression === undefined
        ? (message ?? '')
        : (environment.evaluate(messageExpression, context) as string),
    );
}

const poolRef = { name: 'a100', namespace: 'platform' };
const good = { source: 'hf://mistralai/Mistral-7B-Instruct-v0.3' };

const model = (spec: Spec = {}) => refusals('vllm-operator-team-a-models', { poolRef, model: good, ...spec });
const pool = (spec: Spec = {}) =>
  refusals('vllm-operator-team-a-pools', { accelerator: { type: 'A100' }, ...spec });

describe('a model', () => {
  it.each<[what: string, spec: Spec]>([
    ['with the least', {}],
    ['from a registry', { model: { source: 'oci://registry.example.com/m:1' } }],
    [
      'with everything that is allowed',
      {
        engine: {
          image: 'registry.example.com/vllm:1',
          lora: { adapters: [{ name: 'a', source: 'hf://mistralai/lora' }] },
          speculative: { method: 'draft_model', model: 'mistralai/small' },
        },
        template: {
          initContainers: [{ name: 'init', image: 'registry.example.com/init' }],
          volumes: [{ name: 'v', emptyDir: {} }],
        },
      },
    ],
    ['with speculation that needs no model', { engine: { speculative: { method: 'ngram' } } }],
  ])('%s is taken', (_what, spec) => {
    expect(model(spec)).toEqual([]);
  });

  it.each<[what: string, spec: Spec, message: string]>([
    ['source', { model: { source: 'hf://evil/model' } }, 'model source hf://evil/model is not allowed'],
    [
      'adapter',
      { engine: { lora: { adapters: [{ name: 'a', source: 's3://evil/lora' }] } } },
      'model source s3://evil/lora is not allowed',
    ],
    [
      'draft model',
      { engine: { speculative: { method: 'draft_model', model: 'evil/draft' } } },
      'model source hf://evil/draft is not allowed',
    ],
    [
      'draft model at a path of the container',
      { engine: { speculative: { method: 'draft_model', model: '/evil/draft' } } },
      'model source file:///evil/draft is not allowed',
    ],
    ['image', { engine: { image: 'evil/vllm' } }, 'image evil/vllm is not allowed'],
    [
      'image of an init container',
      { template: { initContainers: [{ image: 'evil/init' }] } },
      'image evil/init is not allowed',
    ],
    [
      'image volume',
      { template: { volumes: [{ name: 'v', image: { reference: 'evil/volume' } }] } },
      'image evil/volume is not allowed',
    ],
    ['argument', { engine: { extraArgs: ['--model=evil'] } }, 'spec.engine.extraArgs is not allowed'],
    ['pool', { poolRef: { name: 'a100' } }, 'spec.poolRef is not allowed'],
  ])('with an %s that is not allowed is refused', (_what, spec, message) => {
    expect(model(spec)).toEqual([expect.stringContaining(message)]);
    expect(model(spec)[0]).toContain('ask the platform team');
  });
});

describe('a pool', () => {
  it.each<[what: string, spec: Spec]>([
    ['of one accelerator', {}],
    ['of several', { accelerator: { type: 'H100x8' } }],
    [
      'with images that are allowed',
      {
        router: { image: 'registry.example.com/router:1' },
        responseCache: { redis: { managed: { image: 'registry.example.com/redis:7' } } },
      },
    ],
  ])('%s is taken', (_what, spec) => {
    expect(pool(spec)).toEqual([]);
  });

  it.each<[what: string, spec: Spec, message: string]>([
    ['another product', { accelerator: { type: 'H200' } }, 'spec.accelerator.type H200 is not allowed'],
    ['one that begins alike', { accelerator: { type: 'A100-40GB' } }, 'A100-40GB is not allowed'],
    ['another router', { router: { image: 'evil/router' } }, 'image evil/router is not allowed'],
    [
      'another Redis',
      { responseCache: { redis: { managed: { image: 'evil/redis' } } } },
      'image evil/redis is not allowed',
    ],
    ['another engine', { engine: { image: 'evil/vllm' } }, 'image evil/vllm is not allowed'],
  ])('with %s is refused', (_what, spec, message) => {
    expect(pool(spec)).toEqual([expect.stringContaining(message)]);
  });
});

it('looks only at changes of the spec, so that older objects can be labelled and deleted', () => {
  const [condition] = policy('vllm-operator-team-a-models').matchConditions;
  const applies = (request: object, object: object, oldObject: object | null) =>
    environment.evaluate(condition?.expression ?? '', { request, object, oldObject });
  expect(applies({ operation: 'CREATE' }, { spec: { a: 1 } }, null)).toBe(true);
  expect(applies({ operation: 'UPDATE' }, { spec: { a: 1 } }, { spec: { a: 1 } })).toBe(false);
  expect(applies({ operation: 'UPDATE' }, { spec: { a: 2 } }, { spec: { a: 1 } })).toBe(true);
});

it('only warns if the values configure it, in all namespaces', () => {
  const binding = objects.find(
    ({ kind, metadata }) =>
      kind === 'ValidatingAdmissionPolicyBinding' && metadata.name === 'vllm-operator-everywhere-models',
  );
  expect(binding).toMatchObject({ spec: { validationActions: ['Warn', 'Audit'] } });
  expect((binding as Policy | undefined)?.spec).not.toHaveProperty('matchResources');
});
