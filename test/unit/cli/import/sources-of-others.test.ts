/** `vllm-operator import` of files that were written for other tools, and of hostile ones. */
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { importFiles } from '../../../../operator/cli/import/import-files.ts';
import { fileWriter, withOutput } from '../../render/support/command.ts';

const file = fileWriter();
const importText = (text: string) =>
  withOutput((output) => importFiles([file('source.yaml', text)], { pool: 'gpus' }, output));

const deployment = (container: object, pod: object = {}, metadata: object = { name: 'chat' }): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata,
  spec: {
    template: {
      spec: { ...pod, containers: [{ name: 'vllm', image: 'vllm/vllm-openai:v0.28.0', ...container }] },
    },
  },
});
const importOne = (container: object, pod: object = {}) => {
  const result = importText(JSON.stringify(deployment(container, pod)));
  return { ...result, spec: parse(result.out).spec };
};
const service = (fields: object) =>
  JSON.stringify({ services: { chat: { image: 'vllm/vllm-openai:v0.28.0', ...fields } } });

describe('messages have no secret', () => {
  it.each([
    ['of an unknown flag', { args: ['org/m', '--api-kye=very-secret'] }],
    ['of an unknown flag in two words', { args: ['org/m', '--api-kye', 'very-secret'] }],
    [
      'of another command of a script',
      { command: ['sh', '-c', 'export HF_TOKEN=very-secret && vllm serve org/m'] },
    ],
    ['of a login', { command: ['sh', '-c', 'hf auth login --token very-secret; vllm serve org/m'] }],
    ['of a script without vLLM', { command: ['sh', '-c', 'TOKEN=very-secret python app.py'] }],
    ['of another program', { command: ['python', 'app.py', '--token', 'very-secret'] }],
  ])('%s', (_, container) => {
    expect(importOne(container).err).not.toContain('very-secret');
  });

  it('of the production stack', () => {
    const values = {
      servingEngineSpec: {
        vllmApiKey: 'very-secret',
        modelSpec: [{ name: 'm', modelURL: 'org/m', hf_token: 'very-secret', vllmApiKey: 'very-secret' }],
      },
    };
    const { err } = importText(JSON.stringify(values));
    expect(err).not.toContain('very-secret');
    expect(err).toMatch(/vllmApiKey.*router\.auth/);
  });
});

describe('autoscalers', () => {
  const autoscaler = (namespace: string, minReplicas: number, more: object = {}) => ({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'chat', namespace },
    spec: { scaleTargetRef: { kind: 'Deployment', name: 'chat' }, minReplicas, maxReplicas: 9, ...more },
  });

  it('scale what has their name in their namespace', () => {
    const items = ['a', 'b'].flatMap((namespace, i) => [
      deployment({ args: ['org/m'] }, {}, { name: 'chat', namespace }),
      autoscaler(namespace, i + 1),
    ]);
    const { out } = importText(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    expect(parseAllDocuments(out).map((document) => document.toJS().spec.scaling.minReplicas)).toEqual([
      1, 2,
    ]);
  });

  it('of another kind of workload do not count', () => {
    const other = autoscaler('a', 3, { scaleTargetRef: { kind: 'StatefulSet', name: 'chat' } });
    const items = [deployment({ args: ['org/m'] }, {}, { name: 'chat', namespace: 'a' }), other];
    const { out } = importText(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    expect(parse(out).spec.scaling).toBeUndefined();
  });

  it('keep their rates, and the time until KEDA scales to zero', () => {
    const behavior = { scaleDown: { stabilizationWindowSeconds: 600 } };
    const items = [
      deployment({ args: ['org/m'] }, {}, { name: 'chat', namespace: 'a' }),
      autoscaler('a', 1, { behavior }),
    ];
    const { out } = importText(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    expect(parse(out).spec.scaling).toEqual({ minReplicas: 1, maxReplicas: 9, behavior });
    const keda = {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      metadata: { name: 'k', namespace: 'a' },
      spec: { scaleTargetRef: { name: 'chat' }, maxReplicaCount: 4, cooldownPeriod: 900 },
    };
    const kedaItems = [items[0], keda];
    const imported = importText(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: kedaItems }));
    expect(parse(imported.out).spec.scaling).toEqual({ minReplicas: 0, maxReplicas: 4, idleTimeout: '900s' });
  });
});

describe('variables of docker compose', () => {
  it('have their defaults in image, command and environment', () => {
    const { out } = importText(
      service({
        image: 'vllm/vllm-openai:${TAG:-v0.29.0}',
        command: '--model ${MODEL:-org/m} --max-model-len ${LENGTH-8192}',
        environment: { LEVEL: '${LEVEL:-DEBUG}', PRICE: '$$5' },
      }),
    );
    expect(parse(out).spec).toMatchObject({
      model: { source: 'hf://org/m' },
      engine: { image: 'vllm/vllm-openai:v0.29.0', maxModelLen: 8192 },
      template: {
        env: [
          { name: 'LEVEL', value: 'DEBUG' },
          { name: 'PRICE', value: '$5' },
        ],
      },
    });
  });

  it('without a value are left out and noted', () => {
    const { out, err } = importText(
      service({ command: ['org/m'], environment: ['LEVEL', 'OTHER=${OTHER}'] }),
    );
    expect(parse(out).spec.template).toBeUndefined();
    expect(err).toMatch(/environment\.LEVEL: its value is that of the shell/);
    expect(err).toMatch(/environment\.OTHER: its value is that of the shell/);
  });
});

it('says where engines look for weights on a claim that was the cache', () => {
  const { spec, err } = importOne(
    { args: ['org/m'], volumeMounts: [{ name: 'c', mountPath: '/root/.cache/huggingface' }] },
    { volumes: [{ name: 'c', persistentVolumeClaim: { claimName: 'weights' } }] },
  );
  expect(spec.model.cache).toEqual({ pvc: { claimName: 'weights' } });
  expect(err).toMatch(/"weights": .*\.cache\/huggingface.*move them/);
});

it('leaves out volumes that the Pod Security Standard restricted forbids', () => {
  const { spec, err } = importOne(
    { args: ['org/m'], volumeMounts: [{ name: 'n', mountPath: '/n' }] },
    { volumes: [{ name: 'n', nfs: { server: 'x', path: '/' } }] },
  );
  expect(spec.template).toBeUndefined();
  expect(err).toMatch(/volumes\.n "nfs": .*restricted.*PersistentVolumeClaim/);
});

it('reads numbers as Python writes them', () => {
  const { spec } = importOne({ args: ['org/m', '--gpu-memory-utilization', '.92'] });
  expect(spec.engine.pagedAttention.gpuMemoryUtilization).toBe('0.92');
});

describe('an exit code of 1 says that a model is not valid yet', () => {
  it.each([
    ['no model', { args: ['--seed=1'] }, 'set spec.model.source'],
    [
      'an image that the operator cannot start',
      { image: 'vllm/vllm-openai:v0.8.5', args: ['org/m'] },
      'engine.command',
    ],
  ])('%s', (_, container, remedy) => {
    const { code, out, err } = importOne(container);
    expect(code).toBe(1);
    expect(out).toContain('kind: InferenceModel');
    expect(err).toContain(remedy);
  });
});

describe('hostile files end with a message', () => {
  it.each([
    ['bytes', '\u0000\u0001', /not text/],
    ['a file that is larger than any manifest', 'x'.repeat(17 * 2 ** 20), /larger than 16 MiB/],
    [
      'a kind of JavaScript',
      '{kind: constructor, spec: {template: {spec: {image: vllm}}}}',
      /nothing that serves/,
    ],
    [
      'a field of JavaScript',
      service({ command: ['org/m'], constructor: 1 }),
      /constructor 1: a pod has no such field/,
    ],
  ])('%s', (_, text, message) => {
    const { err } = importText(text);
    expect(err).toMatch(message);
    expect(err).not.toContain('native code');
  });

  it('and arguments are read up to a bound', () => {
    const { err, spec } = importOne({
      args: ['org/m', ...Array.from({ length: 5_000 }, (_, i) => `--x${i}`)],
    });
    expect(spec.model.source).toBe('hf://org/m');
    expect(err).toMatch(/only the first 512 arguments/);
    expect(err.split('\n').length).toBeLessThan(600);
  });
});
