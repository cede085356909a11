import { describe, expect, it } from 'vitest';
import type { InferenceModel, InferencePool } from '../../../operator/api/types.ts';
import type { Manifest } from '../../../operator/render/manifest.ts';
import { renderModel } from '../../../operator/render/model.ts';
import { InvalidSpecError } from '../../../operator/values/spec-issue.ts';
import { resolved } from '../model/support/resolve.ts';
import { EXAMPLE_ENGINE, model, pool } from './support/objects.ts';

const llama = 'hf://meta-llama/Llama-3.1-8B-Instruct';

interface Deployment {
  spec: {
    replicas?: number;
    strategy: { rollingUpdate: { maxSurge: number; maxUnavailable: number } };
    template: { metadata: { annotations: Record<string, string> }; spec: PodSpec };
  };
}

interface PodSpec {
  terminationGracePeriodSeconds: number;
  affinity?: unknown;
  nodeSelector?: unknown;
  tolerations: { key: string }[];
  securityContext: { supplementalGroups?: number[] };
  containers: {
    args: string[];
    env: { name: string; value?: string; valueFrom?: unknown }[];
    lifecycle: { preStop: { sleep: { seconds: number } } };
    resources: { requests: Record<string, string>; limits: Record<string, string> };
    volumeMounts: { name: string; mountPath: string }[];
  }[];
  volumes: Record<string, unknown>[];
}

function render(pools: InferencePool, models: InferenceModel, roomForSurge?: boolean): Manifest[] {
  return renderModel(resolved(pools, models), roomForSurge === undefined ? {} : { roomForSurge });
}

function deployment(manifests: readonly Manifest[]): Deployment['spec'] {
  return (manifests.find(({ kind }) => kind === 'Deployment') as unknown as Deployment).spec;
}

function pod(manifests: readonly Manifest[]): PodSpec & { engine: PodSpec['containers'][number] } {
  const spec = deployment(manifests).template.spec;
  const [engine] = spec.containers;
  if (engine === undefined) throw new Error('no container');
  return { ...spec, engine };
}

describe('the pods of a model', () => {
  it.each([
    ['A100', 'nvidia.com/gpu', '1'],
    ['H100x4', 'nvidia.com/gpu', '4'],
    ['H100x8', 'nvidia.com/gpu', '8'],
    ['MI300Xx2', 'amd.com/gpu', '2'],
  ])('hold on %s %s %s, and tensor parallelism follows', (type, resource, count) => {
    const { engine } = pod(render(pool(type, { engine: EXAMPLE_ENGINE }), model(llama)));
    expect(engine.resources.limits[resource]).toBe(count);
    expect(engine.resources.requests[resource]).toBe(count);
    expect(engine.args).toContain(`--tensor-parallel-size=${count}`);
  });

  it('have no replicas: scaling owns them', () => {
    expect(deployment(render(pool('A100'), model(llama, { scaling: { replicas: 3 } })))).not.toHaveProperty(
      'replicas',
    );
  });

  it('are replaced when the engine changes, and for nothing else', () => {
    const base = deployment(render(pool('A100'), model(llama))).template;
    const same = [
      render(
        pool('A100', {
          capacity: { accelerators: 4 },
          router: { replicas: 5 },
          responseCache: { enabled: false },
        }),
        model(llama),
      ),
      render(
        pool('A100'),
        model(llama, { scaling: { minReplicas: 0, maxReplicas: 4 }, priority: 7, suspend: true }),
      ),
      render(pool('A100'), model(llama, { admission: { maxQueue: 1 }, responseCache: { ttl: '1m' } })),
      render(pool('A100', { accelerator: { hourlyCost: '2.5' } }), model(llama), false),
      render(pool('A100', { engine: { batching: { maxNumSeqs: 256 } } }), model(llama)),
    ];
    for (const manifests of same) expect(deployment(manifests).template).toEqual(base);
    const other = [
      render(pool('A100', { engine: { maxModelLen: 1024 } }), model(llama)),
      render(pool('A100'), model(llama, { model: { revision: 'main' } })),
      render(pool('A100x2'), model(llama)),
      render(pool('A100'), model(llama, { template: { env: [{ name: 'X', value: '1' }] } })),
    ];
    for (const manifests of other) {
      const { metadata, spec } = deployment(manifests).template;
      expect(spec).not.toEqual(base.spec);
      expect(metadata.annotations).not.toEqual(base.metadata.annotations);
    }
  });

  it('have time to leave, to drain and to end', () => {
    const { engine, terminationGracePeriodSeconds } = pod(
      render(pool('A100'), model(llama, { engine: { drainTimeout: '2m' } })),
    );
    expect(engine.args).toContain('--shutdown-timeout=120');
    expect(engine.lifecycle.preStop.sleep.seconds).toBe(10);
    expect(terminationGracePeriodSeconds).toBe(10 + 120 + 15);
  });

  it('never get a shutdown timeout of 0, with which vLLM 0.28 leaves streams open and does not end', () => {
    const { engine } = pod(render(pool('A100'), model(llama, { engine: { drainTimeout: '0s' } })));
    expect(engine.args).toContain('--shutdown-timeout=1');
  });

  it('of engines that abort on SIGTERM drain before it', () => {
    const old = { drainTimeout: '2m', image: 'vllm/vllm-openai:v0.17.1' };
    const { engine, terminationGracePeriodSeconds } = pod(
      render(pool('A100'), model(llama, { engine: old })),
    );
    expect(engine.args.join(' ')).not.toContain('--shutdown-timeout');
    expect(engine.lifecycle.preStop.sleep.seconds).toBe(10 + 120);
    expect(terminationGracePeriodSeconds).toBe(10 + 120 + 15);
  });

  it('give way to the new one where there is no room for both', () => {
    const strategy = (manifests: Manifest[]) => deployment(manifests).strategy.rollingUpdate;
    const own = { model: { cache: { pvc: { size: '50Gi' } } } };
    expect(strategy(render(pool('A100'), model(llama)))).toEqual({ maxSurge: 1, maxUnavailable: 0 });
    expect(strategy(render(pool('A100'), model(llama), false))).toEqual({ maxSurge: 0, maxUnavailable: 1 });
    expect(strategy(render(pool('A100'), model(llama, own)))).toEqual({ maxSurge: 0, maxUnavailable: 1 });
  });

  it('run on the nodes of the catalog unless the pool sets a nodeSelector', () => {
    const nodeSelector = { 'cloud.google.com/gke-accelerator': 'nvidia-a100-80gb' };
    const own = pod(render(pool('A100', { accelerator: { nodeSelector } }), model(llama)));
    expect(own).toMatchObject({ nodeSelector });
    expect(own).not.toHaveProperty('affinity');
    expect(JSON.stringify(pod(render(pool('H100'), model(llama))).affinity)).toContain(
      'NVIDIA-H100-80GB-HBM3',
    );
    expect(JSON.stringify(pod(render(pool('MI300X'), model(llama))).affinity)).toContain(
      'amd.com/gpu.product-name',
    );
  });

  it('tolerate spot nodes only if the pool enables them', () => {
    const keys = (spot: boolean) =>
      pod(render(pool('A100', { accelerator: { spot } }), model(llama))).tolerations.map(({ key }) => key);
    expect(keys(false)).toEqual(['nvidia.com/gpu']);
    expect(keys(true)).toContain('cloud.google.com/gke-spot');
  });

  it('count shared memory and swap space against the memory limit', () => {
    const limit = (swapSpaceGiB: number) => {
      const { engine } = pod(
        render(pool('H100x4', { engine: { pagedAttention: { swapSpaceGiB } } }), model(llama)),
      );
      return engine.resources.limits.memory;
    };
    expect([limit(0), limit(4)]).toEqual([`${4 * 160 + 8}Gi`, `${4 * 160 + 8 + 16}Gi`]);
  });

  it.each([
    [{ limits: { memory: '32Gi', cpu: '4' } }, { cpu: '4', memory: '32Gi' }, { cpu: '4', memory: '32Gi' }],
    [{ requests: { memory: '400Gi' } }, { cpu: '8', memory: '400Gi' }, { memory: '400Gi' }],
    [{ requests: { memory: '8Gi', cpu: '2' } }, { cpu: '2', memory: '8Gi' }, { memory: '98Gi' }],
  ])('take CPU and memory from the template: %j', (resources, requests, limits) => {
    const { engine } = pod(render(pool('A100'), model(llama, { template: { resources } })));
    expect(engine.resources.requests).toEqual({ ...requests, 'nvidia.com/gpu': '1' });
    expect(engine.resources.limits).toEqual({ ...limits, 'nvidia.com/gpu': '1' });
  });

  it('read the token from a Secret that the operator never sees', () => {
    const tokenSecretRef = { name: 'hf', key: 'token' };
    const { engine } = pod(render(pool('A100'), model(llama, { model: { tokenSecretRef } })));
    expect(engine.env).toContainEqual({ name: 'HF_TOKEN', valueFrom: { secretKeyRef: tokenSecretRef } });
  });

  it('wait as long for the engine as the startup probe does', () => {
    const { engine } = pod(render(pool('A100'), model(llama, { engine: { startupTimeout: '90m' } })));
    expect(engine.env).toContainEqual({ name: 'VLLM_ENGINE_READY_TIMEOUT_S', value: '5400' });
    expect(engine).toMatchObject({ startupProbe: { periodSeconds: 2, failureThreshold: 2700 } });
  });

  it.each([
    ['pvc://weights/llama', { persistentVolumeClaim: { claimName: 'weights', readOnly: true } }],
    [
      'oci://registry.example.com/llama:1',
      { image: { reference: 'registry.example.com/llama:1', pullPolicy: 'IfNotPresent' } },
    ],
  ])('mount %s', (source, volume) => {
    const { engine, volumes } = pod(render(pool('A100'), model(source)));
    expect(volumes).toContainEqual({ name: 'model', ...volume });
    expect(engine.volumeMounts).toContainEqual({ name: 'model', mountPath: '/models', readOnly: true });
  });

  it('write to volumes only', () => {
    const { engine } = pod(render(pool('A100'), model(llama)));
    const writable = engine.volumeMounts.map(({ mountPath }) => mountPath);
    expect(writable).toEqual(['/home/vllm', '/dev/shm', '/tmp']);
    for (const { value } of engine.env.filter(({ value }) => value?.startsWith('/'))) {
      expect(
        writable.some((path) => value?.startsWith(path)),
        value,
      ).toBe(true);
    }
  });

  it('on AMD belong to the groups of the device files', () => {
    expect(pod(render(pool('MI300X'), model(llama))).securityContext.supplementalGroups).toEqual([44, 109]);
    expect(pod(render(pool('A100'), model(llama))).securityContext).not.toHaveProperty('supplementalGroups');
  });
});

describe('the objects of a model', () => {
  it('are owned by it and labelled, but never as part of what Argo CD tracks', () => {
    const manifests = render(pool('A100'), model(llama));
    expect(manifests.map(({ kind }) => kind)).toEqual([
      'ServiceAccount',
      'NetworkPolicy',
      'Service',
      'Deployment',
      'PodDisruptionBudget',
    ]);
    for (const { metadata } of manifests) {
      expect(metadata).toMatchObject({ name: 'vllm-assistant', namespace: 'team-a' });
      expect(metadata.ownerReferences).toMatchObject([
        { kind: 'InferenceModel', name: 'assistant', controller: true },
      ]);
      expect(metadata.labels).toMatchObject({
        'app.kubernetes.io/managed-by': 'vllm-operator',
        'vllm-operator.dev/model': 'assistant',
        'vllm-operator.dev/pool': 'gpus',
        'vllm-operator.dev/pool-namespace': 'platform',
      });
      expect(JSON.stringify(metadata)).not.toMatch(/argocd|app\.kubernetes\.io\/instance/);
    }
  });

  it('include a claim only where the operator is to make one', () => {
    const kinds = (pvc: object) =>
      render(pool('A100'), model(llama, { model: { cache: { pvc } } })).map(({ kind }) => kind);
    expect(kinds({ size: '50Gi' })).toContain('PersistentVolumeClaim');
    expect(kinds({ claimName: 'shared' })).not.toContain('PersistentVolumeClaim');
  });

  it('leave the ServiceAccount to a user who names one', () => {
    const own = render(pool('A100'), model(llama, { template: { serviceAccountName: 'mine' } }));
    expect(own.map(({ kind }) => kind)).not.toContain('ServiceAccount');
    expect(pod(own)).toMatchObject({ serviceAccountName: 'mine', automountServiceAccountToken: false });
  });

  it('let only the routers of the pool and scrapers in', () => {
    const policy = render(pool('A100'), model(llama)).find(({ kind }) => kind === 'NetworkPolicy');
    expect(policy?.spec).toMatchObject({
      policyTypes: ['Ingress'],
      ingress: [
        {
          from: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'platform' } },
              podSelector: {
                matchLabels: { 'vllm-operator.dev/pool': 'gpus', 'app.kubernetes.io/component': 'router' },
              },
            },
            { namespaceSelector: { matchLabels: { 'vllm-operator.dev/metrics-scraper': 'true' } } },
          ],
          ports: [{ protocol: 'TCP', port: 8000 }],
        },
      ],
    });
  });

  it('are none if the engine cannot run', () => {
    expect(() => render(pool('A100'), model(llama, { engine: { tensorParallelSize: 2 } }))).toThrow(
      InvalidSpecError,
    );
  });
});
