/** What the operator's options say of images, where pools and models say nothing. */
import { describe, expect, it } from 'vitest';
import type { ImageDefaults } from '../../../operator/render/image-defaults.ts';
import type { Manifest } from '../../../operator/render/manifest.ts';
import { renderModel } from '../../../operator/render/model.ts';
import { renderPool } from '../../../operator/render/pool.ts';
import { resolved } from '../model/support/resolve.ts';
import { model, pool } from './support/objects.ts';

const QWEN = 'hf://Qwen/Qwen2.5-7B-Instruct';

type PoolSpec = Parameters<typeof pool>[1];
type ModelSpec = Parameters<typeof model>[1];

interface Pod {
  imagePullSecrets?: { name: string }[];
  containers: { image: string }[];
}

/** Images and pull secrets of the router, Redis and the engine. */
function pods(images: ImageDefaults, pools: PoolSpec = {}, models: ModelSpec = {}): Record<string, Pod> {
  const of = pool('A100', pools);
  const manifests: Manifest[] = [
    ...renderPool({
      pool: of,
      cluster: { operatorNamespace: 'ops', operatorVersion: '1.2.3', images },
      routerFiles: {},
      redis: { aclHash: 'a'.repeat(64) },
    }),
    ...renderModel(resolved(of, model(QWEN, models)), { images }),
  ];
  const deployments = manifests.filter(({ kind }) => kind === 'Deployment') as (Manifest & {
    spec: { template: { spec: Pod } };
  })[];
  return Object.fromEntries(
    deployments.map(({ metadata, spec }) => [metadata.name.replace(/^(gpus|vllm)-/, ''), spec.template.spec]),
  );
}

function imagesOf(...input: Parameters<typeof pods>): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(pods(...input)).map(([name, pod]) => [name, pod.containers[0]?.image]),
  );
}

describe('a registry', () => {
  it('takes the place of that of every default image', () => {
    expect(imagesOf({ registry: 'registry.example.com:5000/mirror' })).toEqual({
      redis: 'registry.example.com:5000/mirror/library/redis:7.4.11',
      router: 'registry.example.com:5000/mirror/vllm-operator/router:1.2.3',
      assistant: expect.stringMatching(/^registry\.example\.com:5000\/mirror\/vllm\/vllm-openai:v[0-9.]+$/),
    });
  });

  it('leaves images that a pool or model names', () => {
    const named = {
      router: { image: 'acme/router:1' },
      responseCache: { redis: { managed: { image: 'acme/redis:1' } } },
      engine: { image: 'vllm/vllm-openai:v0.28.0' },
    };
    expect(imagesOf({ registry: 'registry.example.com' }, named)).toEqual({
      redis: 'acme/redis:1',
      router: 'acme/router:1',
      assistant: 'vllm/vllm-openai:v0.28.0',
    });
    expect(
      imagesOf({ registry: 'registry.example.com' }, {}, { engine: { image: 'vllm/vllm-openai:v0.28.0' } }),
    ).toMatchObject({ assistant: 'vllm/vllm-openai:v0.28.0' });
  });
});

it('uses images of routers and Redis unchanged, including digests', () => {
  const digest = `registry.example.com/router@sha256:${'a'.repeat(64)}`;
  expect(imagesOf({ registry: 'other.example.com', router: digest, redis: 'valkey:8' })).toMatchObject({
    router: digest,
    redis: 'valkey:8',
  });
  expect(imagesOf({ router: digest }, { router: { image: 'acme/router:1' } })).toMatchObject({
    router: 'acme/router:1',
  });
});

describe('pull secrets', () => {
  const own = [{ name: 'own' }];

  it('are those of the options where pool and model name none', () => {
    const found = pods({ pullSecrets: ['one', 'two'] }, { router: { imagePullSecrets: own } });
    expect(found.router?.imagePullSecrets).toEqual(own);
    expect(found.redis?.imagePullSecrets).toEqual([{ name: 'one' }, { name: 'two' }]);
    expect(found.assistant?.imagePullSecrets).toEqual([{ name: 'one' }, { name: 'two' }]);
  });

  it('are those of the model where it names some', () => {
    const found = pods({ pullSecrets: ['one'] }, {}, { template: { imagePullSecrets: own } });
    expect(found.assistant?.imagePullSecrets).toEqual(own);
  });

  it('are none without either', () => {
    for (const pod of Object.values(pods({}))) expect(pod).not.toHaveProperty('imagePullSecrets');
  });
});
