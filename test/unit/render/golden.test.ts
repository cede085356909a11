/** Whole manifests, accelerator by accelerator, as files to review. `UPDATE_GOLDEN=1` writes them anew. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toYaml } from '../../../operator/cli/render.ts';
import { planMemory } from '../../../operator/model/memory-plan.ts';
import { renderHpa } from '../../../operator/render/hpa.ts';
import type { Manifest } from '../../../operator/render/manifest.ts';
import { renderModel } from '../../../operator/render/model.ts';
import { renderPool } from '../../../operator/render/pool.ts';
import { ACCELERATOR_PRODUCTS } from '../../../operator/vllm/accelerators.ts';
import { merged, resolved } from '../model/support/resolve.ts';
import { kubernetesValidator } from './support/kubernetes-schema.ts';
import { EXAMPLE_ENGINE, model, pool } from './support/objects.ts';
import { type PodSpec, violations } from './support/restricted.ts';

const GOLDEN = new URL('./golden/', import.meta.url);
const cluster = { operatorNamespace: 'vllm-operator-system', operatorVersion: '0.1.0' };
const update = process.env.UPDATE_GOLDEN === '1';
const engine = EXAMPLE_ENGINE;

const MODELS: Record<string, [type: string, source: string, modelEngine?: object]> = {
  a100: ['A100', 'hf://meta-llama/Llama-3.1-8B-Instruct'],
  'a100-codellama': ['A100', 'hf://codellama/CodeLlama-13b-Instruct-hf', { maxModelLen: 16384 }],
  'a100-40gb': ['A100-40GB', 'hf://mistralai/Mistral-7B-Instruct-v0.3'],
  h100: ['H100', 'hf://Qwen/Qwen3-8B'],
  h100x4: ['H100x4', 'hf://meta-llama/Llama-3.3-70B-Instruct'],
  h100x8: ['H100x8', 'hf://Qwen/Qwen2.5-72B-Instruct'],
  h200x8: [
    'H200x8',
    'hf://deepseek-ai/DeepSeek-V3',
    { expertParallel: true, reasoningParser: 'deepseek_v3' },
  ],
  b200: ['B200', 'hf://openai/gpt-oss-120b', { toolCallParser: 'openai' }],
  l4: ['L4', 'hf://Qwen/Qwen2.5-7B-Instruct', { quantization: 'fp8' }],
  l40s: ['L40S', 'hf://meta-llama/Llama-3.1-8B-Instruct'],
  a10: ['A10', 'hf://Qwen/Qwen2.5-7B-Instruct', { maxModelLen: 16384 }],
  t4: ['T4', 'hf://Qwen/Qwen2.5-0.5B-Instruct'],
  mi300x: ['MI300X', 'hf://meta-llama/Llama-3.3-70B-Instruct'],
};

/** An accelerator that is not listed above has a golden too, with a small model. */
const listed = new Set(Object.values(MODELS).map(([type]) => type.replace(/x[0-9]+$/, '')));
for (const product of ACCELERATOR_PRODUCTS.filter((name) => !listed.has(name))) {
  MODELS[product.toLowerCase()] = [product, 'hf://Qwen/Qwen2.5-0.5B-Instruct'];
}

const sets: Record<string, Manifest[]> = Object.fromEntries(
  Object.entries(MODELS).map(([name, [type, source, own = {}]]) => {
    return [name, renderModel(resolved(pool(type, { engine }), model(source, { engine: own })))];
  }),
);

const everything = {
  pool: pool('custom', {
    accelerator: {
      custom: {
        resourceName: 'nvidia.com/mig-3g.40gb',
        count: 2,
        memoryGiB: 40,
        product: 'NVIDIA-A100-SXM4-80GB-MIG-3g.40gb',
      },
      tolerations: [{ key: 'team', operator: 'Equal', value: 'research', effect: 'NoExecute' }],
      runtimeClassName: 'nvidia',
      priorityClassName: 'inference',
      spot: true,
    },
    engine: {
      ...engine,
      env: [
        { name: 'VLLM_LOGGING_LEVEL', value: 'INFO' },
        { name: 'NCCL_DEBUG', value: 'WARN' },
      ],
    },
  }),
  model: model('pvc://weights/llama/8b', {
    model: {
      servedNames: ['llama', 'llama-8b'],
      trustRemoteCode: true,
      cache: { pvc: { size: '50Gi', storageClassName: 'fast' } },
    },
    engine: {
      pagedAttention: { kvCacheDtype: 'fp8', prefixCaching: false },
      batching: { maxNumSeqs: 48, maxNumBatchedTokens: 4096, chunkedPrefill: true },
      performanceMode: 'throughput',
      speculative: { method: 'ngram', numSpeculativeTokens: 4, promptLookupMax: 4 },
      lora: { maxLoras: 2, maxRank: 32, adapters: [{ name: 'sql', source: 'org/sql-lora' }] },
      startupTimeout: '15m',
      drainTimeout: '90s',
      extraArgs: ['--seed=7', '--attention-backend', 'FLASH_ATTN'],
      env: [{ name: 'VLLM_LOGGING_LEVEL', value: 'DEBUG' }],
    },
    template: {
      labels: { team: 'a' },
      annotations: { 'example.com/note': 'x' },
      env: [{ name: 'NCCL_DEBUG', value: 'INFO' }],
      resources: { requests: { cpu: '6' }, limits: { memory: '96Gi' } },
      volumes: [{ name: 'certs', configMap: { name: 'certs' } }],
      volumeMounts: [{ name: 'certs', mountPath: '/etc/certs' }],
      imagePullSecrets: [{ name: 'registry' }],
      topologySpreadConstraints: [{ maxSkew: 2, topologyKey: 'rack', whenUnsatisfiable: 'DoNotSchedule' }],
    },
  }),
};
sets.everything = renderModel(resolved(everything.pool, everything.model), { roomForSurge: false });

sets.cpu = renderModel(
  resolved(
    pool('CPU', { accelerator: { cpu: { cores: 8, memoryGiB: 32 } } }),
    model('hf://Qwen/Qwen2.5-0.5B-Instruct'),
  ),
);

sets.hpa = [
  renderHpa(
    resolved(
      pool('A100'),
      model('hf://meta-llama/Llama-3.1-8B-Instruct', {
        scaling: {
          minReplicas: 0,
          maxReplicas: 4,
          behavior: {
            scaleUp: { tolerance: '0.05', policies: [{ type: 'Pods', value: 2, periodSeconds: 15 }] },
            scaleDown: { stabilizationWindowSeconds: 600, selectPolicy: 'Min' },
          },
        },
      }),
    ),
    { minReplicas: 0, maxReplicas: 4 },
  ),
];

const routerFiles = { 'nginx.conf': 'events {}\n', 'start.sh': 'exec nginx\n' };
const redis = { aclHash: 'a'.repeat(64) };
sets.pool = renderPool({ pool: pool('A100'), cluster, routerFiles, redis });
sets['pool-external-redis'] = renderPool({
  pool: pool('H100x4', {
    router: {
      replicas: 3,
      image: 'registry.example.com/router:1',
      resources: { requests: { cpu: '2' }, limits: { memory: '4Gi' } },
      service: { type: 'LoadBalancer', port: 443, annotations: { 'example.com/lb': 'internal' } },
      tls: { secretName: 'router-tls' },
      ingress: {
        className: 'nginx',
        host: 'llm.example.com',
        tlsSecretName: 'llm-tls',
        annotations: { 'example.com/x': 'y' },
      },
    },
    responseCache: { redis: { external: { secretRef: { name: 'redis', key: 'url' } } } },
    engine: { drainTimeout: '1m' },
  }),
  cluster,
  routerFiles,
  redis,
});

describe('golden manifests', () => {
  it.each(Object.entries(sets))('%s', (name, manifests) => {
    const file = new URL(`${name}.yaml`, GOLDEN);
    const text = toYaml(manifests);
    if (update) writeFileSync(file, text);
    expect(text).toBe(readFileSync(file, 'utf8'));
  });

  it('has no file without a set', () => {
    expect(readdirSync(GOLDEN).sort()).toEqual(
      Object.keys(sets)
        .map((name) => `${name}.yaml`)
        .sort(),
    );
  });

  it('has a model that fits for every accelerator of the catalog', () => {
    for (const [type, source, own = {}] of Object.values(MODELS)) {
      const plan = planMemory(merged(pool(type, { engine }), model(source, { engine: own })));
      expect(plan?.issue, `${type} ${source}`).toBeUndefined();
    }
  });
});

describe('every golden manifest', () => {
  const validate = kubernetesValidator();
  const all = Object.entries(sets).flatMap(([set, manifests]) =>
    manifests.map((manifest) => [`${set}: ${manifest.kind} ${manifest.metadata.name}`, manifest] as const),
  );

  it.each(all)('%s is what kube-apiserver 1.36 admits', (_name, manifest) => {
    expect(validate(manifest)).toEqual([]);
  });

  it.each(all.filter(([, manifest]) => manifest.kind === 'Deployment'))(
    '%s keeps to PSS restricted',
    (_name, manifest) => {
      const spec = (manifest as unknown as { spec: { template: { spec: PodSpec } } }).spec.template.spec;
      expect(violations(spec)).toEqual([]);
      expect(spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
    },
  );
});
