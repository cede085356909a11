import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { API_VERSION } from '../../../operator/api/common.ts';
import type { CustomResourceDefinition } from '../../../operator/api/crd.ts';
import {
  INFERENCE_MODELS,
  INFERENCE_POOLS,
  type InferenceModel,
  type InferencePool,
} from '../../../operator/api/types.ts';
import { KubeClient } from '../../../operator/kube/client.ts';
import { KubeError } from '../../../operator/kube/errors.ts';
import { loadConnection } from '../../../operator/kube/load-connection.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { NAMESPACES } from '../../../operator/kube/resource-types.ts';
import { Transport } from '../../../operator/kube/transport.ts';
import { BAD_SPECS, VALID_SPECS } from '../../unit/api/support/bad-specs.ts';
import type { Kind } from '../../unit/api/support/schemas.ts';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { CUSTOM_RESOURCE_DEFINITIONS, installDefinitions } from '../support/definitions.ts';

const root = join(import.meta.dirname, '../../..');
const namespace = `crd-${process.pid}-${Date.now().toString(36)}`;
const types = { InferencePool: INFERENCE_POOLS, InferenceModel: INFERENCE_MODELS };

let server: TestApiServer;
let transport: Transport;
let client: KubeClient;

interface Scale extends KubeObject {
  spec: { replicas?: number };
  status: { replicas: number; selector?: string };
}

beforeAll(async () => {
  server = await startTestApiServer();
  transport = new Transport({ connection: await loadConnection({ kubeconfig: server.kubeconfig }) });
  client = new KubeClient(transport, { fieldManager: 'crd-test' });
  await installDefinitions(client);
  await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
});

afterAll(async () => {
  if (server?.shared) await client.delete(NAMESPACES, { name: namespace });
  await transport?.close();
  await server?.close();
});

function object(kind: Kind, name: string, spec: object = VALID_SPECS[kind]): KubeObject & { spec: object } {
  return { apiVersion: API_VERSION, kind, metadata: { name, namespace }, spec };
}

async function refusal(promise: Promise<unknown>): Promise<KubeError> {
  const error = await promise.then(
    () => new Error('it was accepted'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(KubeError);
  return error as KubeError;
}

function causes(error: KubeError): string[] {
  return (error.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
}

describe('the API server', () => {
  it.each(BAD_SPECS.map((bad) => [bad.kind, JSON.stringify(bad.change), bad] as const))(
    'refuses %s %s',
    async (kind, _, { change, field, message }) => {
      const bad = object(kind, 'bad', { ...VALID_SPECS[kind], ...change });
      const error = await refusal(client.create(types[kind], bad, { dryRun: true }));
      expect(error.code).toBe('Invalid');
      const found = causes(error).filter((cause) => cause.startsWith(`${field}: `));
      // A pattern is refused twice: by itself, and by a rule with a remedy.
      expect(found.at(-1), causes(error).join('\n')).toMatch(message);
    },
  );

  it.each([
    ['InferencePool', { accelerator: { type: 'A100' }, router: { replicas: 0 } }, 'spec.router.replicas'],
    [
      'InferencePool',
      { accelerator: { type: 'A100' }, responseCache: { ttl: '5 minutes' } },
      'spec.responseCache.ttl',
    ],
    [
      'InferencePool',
      { accelerator: { type: 'A100' }, engine: { maxModelLen: 'max' } },
      'spec.engine.maxModelLen',
    ],
    ['InferencePool', {}, 'spec.accelerator'],
    [
      'InferenceModel',
      { poolRef: { name: 'a' }, model: { source: 'hf://a/b', servedNames: ['a', 'a'] } },
      'spec.model.servedNames[1]',
    ],
  ] as const)('refuses %s %j', async (kind, spec, field) => {
    const error = await refusal(client.create(types[kind], object(kind, 'bad', spec), { dryRun: true }));
    expect(error.code).toBe('Invalid');
    expect(causes(error).map((cause) => cause.split(':')[0])).toContain(field);
  });

  it.each([
    ['InferencePool', '1st'],
    ['InferencePool', 'a.b'],
    ['InferenceModel', 'a'.repeat(53)],
  ] as const)('refuses a %s named %s, as its children could not have their names', async (kind, name) => {
    const error = await refusal(client.create(types[kind], object(kind, name), { dryRun: true }));
    expect(causes(error).map((cause) => cause.split(':')[0])).toContain('metadata.name');
  });

  it('fills in defaults and drops unknown fields', async () => {
    const spec = { accelerator: { type: 'A100', colour: 'red' }, router: { service: { port: 8080 } } };
    const pool = await client.create(INFERENCE_POOLS, object('InferencePool', 'defaults', spec));
    expect((pool as unknown as InferencePool).spec).toMatchObject({
      capacity: { overcommit: false },
      allowedNamespaces: { from: 'Same' },
      router: { replicas: 2, service: { type: 'ClusterIP', port: 8080 }, auth: { mode: 'None' } },
      responseCache: { enabled: true, ttl: '5m' },
      admission: { maxQueue: 256, queueTimeout: '30s', wakeTimeout: '15m' },
    });
    expect(Object.keys((pool as unknown as InferencePool).spec.accelerator)).toEqual(['type']);
  });

  it('takes the length of the context as a number and as a word', async () => {
    for (const maxModelLen of [32768, 'auto']) {
      const spec = { ...VALID_SPECS.InferencePool, engine: { maxModelLen } };
      const pool = await client.create(INFERENCE_POOLS, object('InferencePool', 'length', spec), {
        dryRun: true,
      });
      expect(pool.spec).toMatchObject({ engine: { maxModelLen } });
    }
  });

  it('scales a model with a fixed number, and one scaled from outside', async () => {
    const forms = [{ replicas: 1 }, { mode: 'External', replicas: 1, minReplicas: 0, maxReplicas: 4 }];
    for (const [index, scaling] of forms.entries()) {
      const name = `scaled-${index}`;
      await client.create(
        INFERENCE_MODELS,
        object('InferenceModel', name, { ...VALID_SPECS.InferenceModel, scaling }),
      );
      const subresource = 'scale';
      await client.patch(
        INFERENCE_MODELS,
        { name, namespace },
        { merge: { spec: { replicas: 3 } } },
        { subresource },
      );
      const scale = await client.get<Scale>(INFERENCE_MODELS, { name, namespace }, { subresource });
      expect(scale.spec.replicas).toBe(3);
      const model = await client.get<InferenceModel>(INFERENCE_MODELS, { name, namespace });
      expect(model.spec.scaling).toEqual({ ...scaling, replicas: 3 });
    }
  });

  it('refuses to scale a model that scales by itself', async () => {
    const spec = { ...VALID_SPECS.InferenceModel, scaling: { minReplicas: 0, maxReplicas: 2 } };
    await client.create(INFERENCE_MODELS, object('InferenceModel', 'bounded', spec));
    const error = await refusal(
      client.patch(
        INFERENCE_MODELS,
        { name: 'bounded', namespace },
        { merge: { spec: { replicas: 3 } } },
        { subresource: 'scale' },
      ),
    );
    expect(error.message).toMatch(/excludes the other scaling fields/);
  });

  it('keeps the class of a claim that the operator made', async () => {
    const spec = (cache: object) => ({
      ...VALID_SPECS.InferenceModel,
      model: { source: 'hf://a/b', cache: { pvc: { size: '10Gi', ...cache } } },
    });
    await client.create(INFERENCE_MODELS, object('InferenceModel', 'claim', spec({})));
    const change = (cache: object) =>
      client.patch(INFERENCE_MODELS, { name: 'claim', namespace }, { merge: { spec: spec(cache) } });
    await change({ size: '20Gi' });
    const error = await refusal(change({ storageClassName: 'fast' }));
    expect(causes(error).join()).toMatch(/^spec.model.cache.pvc: .*cannot change/);
  });

  it('finds the models of a pool', async ({ skip }) => {
    const { spec: definition } = await client.get<CustomResourceDefinition>(CUSTOM_RESOURCE_DEFINITIONS, {
      name: `${INFERENCE_MODELS.plural}.${INFERENCE_MODELS.group}`,
    });
    const selectable = definition.versions.some(({ selectableFields }) => selectableFields !== undefined);
    skip(!selectable, 'selectable fields are off in Kubernetes 1.30: the API server has dropped them');
    const spec = { ...VALID_SPECS.InferenceModel, poolRef: { name: 'elsewhere' } };
    await client.create(INFERENCE_MODELS, object('InferenceModel', 'selected', spec));
    const { items } = await client.list(INFERENCE_MODELS, {
      namespace,
      fieldSelector: 'spec.poolRef.name=elsewhere',
    });
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['selected']);
  });

  it('keeps status apart from spec', async () => {
    const created = await client.create(INFERENCE_MODELS, object('InferenceModel', 'status'));
    const key = { name: 'status', namespace };
    await client.patch(INFERENCE_MODELS, key, { merge: { status: { state: 'Serving' } } });
    const status = { state: 'Idle', observedGeneration: 1 };
    const model = await client.patch<InferenceModel>(
      INFERENCE_MODELS,
      key,
      { merge: { status, spec: { suspend: true } } },
      { subresource: 'status' },
    );
    expect(model.metadata.generation).toBe(created.metadata.generation);
    expect(model.spec.suspend).toBe(false);
    expect(model.status).toEqual(status);
  });

  it('takes every example', async () => {
    for (const file of globSync('examples/*.yaml', { cwd: root })) {
      for (const document of parseAllDocuments(readFileSync(join(root, file), 'utf8'))) {
        const manifest = document.toJS() as KubeObject;
        if (!(manifest.kind in types)) continue;
        const mine = { ...manifest, metadata: { ...manifest.metadata, namespace } };
        await client.create(types[manifest.kind as Kind], mine, { dryRun: true });
      }
    }
  });
});
