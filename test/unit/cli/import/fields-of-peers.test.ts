/** `vllm-operator import` of KubeAI, KServe and the production stack: fields that an InferenceModel has too. */
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { importFiles } from '../../../../operator/cli/import/import-files.ts';
import { fileWriter, withOutput } from '../../render/support/command.ts';

const file = fileWriter();
const importObject = (object: object) => {
  const result = withOutput((output) =>
    importFiles([file('source.yaml', JSON.stringify(object))], { pool: 'gpus' }, output),
  );
  return { ...result, spec: parse(result.out)?.spec };
};

describe('the production stack', () => {
  const values = (entry: object, shared: object = {}) => ({
    servingEngineSpec: {
      ...shared,
      modelSpec: [{ name: 'm', repository: 'vllm/vllm-openai', tag: 'v0.28.0', modelURL: 'org/m', ...entry }],
    },
  });

  it.each<[string, object, object, object]>([
    ['the priority class', { priorityClassName: 'high' }, {}, { priorityClassName: 'high' }],
    ['the account', { serviceAccountName: 'sa' }, {}, { serviceAccountName: 'sa' }],
    [
      'a runtime class of its own',
      { runtimeClassName: 'own' },
      { runtimeClassName: 'nvidia' },
      { runtimeClassName: 'own' },
    ],
    ['the runtime class of all', {}, { runtimeClassName: 'nvidia' }, { runtimeClassName: 'nvidia' }],
    ['the scheduler of all', {}, { schedulerName: 'volcano' }, { schedulerName: 'volcano' }],
    ['when images are pulled', {}, { imagePullPolicy: 'Always' }, { imagePullPolicy: 'Always' }],
    ['users', {}, { securityContext: { runAsUser: 1000 } }, { securityContext: { runAsUser: 1000 } }],
    ['annotations', { podAnnotations: { a: 'b' } }, {}, { annotations: { a: 'b' } }],
    [
      'variables of a Secret',
      { envFromSecret: { name: 's3' } },
      {},
      { envFrom: [{ secretRef: { name: 's3' } }] },
    ],
    [
      'tolerations of all and its own',
      { tolerations: [{ key: 'b', operator: 'Exists' }] },
      { tolerations: [{ key: 'a', operator: 'Exists' }] },
      {
        tolerations: [
          { key: 'a', operator: 'Exists' },
          { key: 'b', operator: 'Exists' },
        ],
      },
    ],
    [
      'only its own tolerations',
      { tolerations: [{ key: 'b', operator: 'Exists' }], tolerationsPolicy: 'override' },
      { tolerations: [{ key: 'a', operator: 'Exists' }] },
      { tolerations: [{ key: 'b', operator: 'Exists' }] },
    ],
    [
      'terms of nodes',
      { nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator: 'Exists' }] }] },
      {},
      {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator: 'Exists' }] }],
            },
          },
        },
      },
    ],
    [
      'resources, before the simple fields',
      { resources: { limits: { memory: '64Gi', 'nvidia.com/gpu': 2 } }, requestCPU: 6 },
      {},
      { resources: { limits: { memory: '64Gi' } } },
    ],
    [
      'volumes',
      {
        extraVolumes: [{ name: 't', configMap: { name: 'templates' } }],
        extraVolumeMounts: [{ name: 't', mountPath: '/templates' }],
      },
      {},
      {
        volumes: [{ name: 't', configMap: { name: 'templates' } }],
        volumeMounts: [{ name: 't', mountPath: '/templates' }],
      },
    ],
  ])('keeps %s', (_, entry, shared, template) => {
    const { code, spec, err } = importObject(values(entry, shared));
    expect(spec.template).toEqual(template);
    expect(err).not.toContain('no counterpart');
    expect(code).toBe(0);
  });

  it('keeps the bounds of KEDA, LoRA and what vLLM runs as', () => {
    const { spec, err } = importObject(
      values({
        enableLoRA: true,
        keda: { enabled: true, minReplicaCount: 0, maxReplicaCount: 5, cooldownPeriod: 360 },
        vllmConfig: { v0: '1', runner: 'pooling', convert: 'embed' },
        raySpec: { enabled: false },
      }),
    );
    expect(spec.scaling).toEqual({ minReplicas: 0, maxReplicas: 5, idleTimeout: '360s' });
    expect(spec.engine.lora).toEqual({});
    expect(spec.engine.extraArgs).toEqual(['--runner=pooling', '--convert=embed']);
    expect(err).not.toMatch(/no counterpart|raySpec|v0/);
  });

  it('leaves out models that are not enabled', () => {
    const { code, out, err } = importObject(values({ enabled: false }));
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/modelSpec m: left out: it is not enabled/);
  });
});

describe('KubeAI', () => {
  const model = (spec: object) => ({
    apiVersion: 'kubeai.org/v1',
    kind: 'Model',
    metadata: { name: 'm' },
    spec: { engine: 'VLLM', url: 'hf://org/m', features: ['TextGeneration'], ...spec },
  });

  it('keeps the priority class, and flags are those of its image', () => {
    const image = 'vllm/vllm-openai:v0.11.2';
    const { spec, err } = importObject(
      model({ image, priorityClassName: 'high', args: ['--swap-space=4'], maxReplicas: 2 }),
    );
    expect(spec.template).toEqual({ priorityClassName: 'high' });
    expect(spec.engine).toEqual({ image, pagedAttention: { swapSpaceGiB: 4 } });
    expect(err).toBe('');
  });

  it('never has a token in the manifest', () => {
    const { out, err } = importObject(model({ env: { HF_TOKEN: 'very-secret' } }));
    expect(out + err).not.toContain('very-secret');
    expect(err).toMatch(/HF_TOKEN.*tokenSecretRef/);
  });

  it('without a maximum has one replica, and says so', () => {
    const { spec, err } = importObject(model({}));
    expect(spec.scaling).toEqual({ minReplicas: 0, maxReplicas: 1 });
    expect(err).toMatch(/spec\.maxReplicas: .*no limit.*set spec\.scaling\.maxReplicas/);
  });
});

it('KServe models on several nodes are noted', () => {
  const { err } = importObject({
    apiVersion: 'serving.kserve.io/v1beta1',
    kind: 'InferenceService',
    metadata: { name: 'm' },
    spec: {
      predictor: {
        model: { modelFormat: { name: 'huggingface' }, storageUri: 'hf://org/m' },
        workerSpec: { pipelineParallelSize: 2 },
      },
    },
  });
  expect(err).toMatch(/spec\.predictor\.workerSpec.*a replica is one pod on one node/);
});
