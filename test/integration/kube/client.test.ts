import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { CONFIG_MAPS, DEPLOYMENTS } from '../../../operator/kube/resource-types.ts';
import { type Harness, startHarness } from './support/harness.ts';

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

let h: Harness;
beforeAll(async () => {
  h = await startHarness();
});
afterAll(() => h.close());

const configMap = (
  name: string,
  data: Record<string, string> = {},
  labels: Record<string, string> = {},
): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: h.namespace, labels },
  data,
});
const key = (name: string) => ({ namespace: h.namespace, name });

test('create, get, replace, patch, delete', async () => {
  const { client } = h;
  const created = await client.create(CONFIG_MAPS, configMap('life', { a: '1' }));
  await expect(client.create(CONFIG_MAPS, configMap('life'))).rejects.toMatchObject({
    code: 'AlreadyExists',
  });
  const merged = await client.patch<ConfigMap>(CONFIG_MAPS, key('life'), {
    merge: { data: { b: '2', a: null } },
  });
  expect(merged.data).toEqual({ b: '2' });
  await expect(client.replace(CONFIG_MAPS, created)).rejects.toMatchObject({
    code: 'Conflict',
    retryable: true,
  });
  const patched = await client.patch<ConfigMap>(CONFIG_MAPS, key('life'), {
    json: [{ op: 'add', path: '/data/c', value: '3' }],
  });
  expect(patched.data).toEqual({ b: '2', c: '3' });
  const dry = await client.replace(CONFIG_MAPS, { ...patched, data: { d: '4' } }, { dryRun: true });
  expect([dry.data, (await client.get<ConfigMap>(CONFIG_MAPS, key('life'))).data]).toEqual([
    { d: '4' },
    { b: '2', c: '3' },
  ]);
  await expect(
    client.delete(CONFIG_MAPS, key('life'), { preconditions: { uid: 'other' } }),
  ).rejects.toMatchObject({ code: 'Conflict' });
  await client.delete(CONFIG_MAPS, key('life'));
  await expect(client.get(CONFIG_MAPS, key('life'))).rejects.toMatchObject({
    code: 'NotFound',
    details: { name: 'life' },
  });
});

test('what the server refuses names the field', async () => {
  const widget = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'No_Name', namespace: h.namespace },
  };
  await expect(h.client.create(CONFIG_MAPS, widget)).rejects.toMatchObject({
    code: 'Invalid',
    details: { causes: [expect.objectContaining({ field: 'metadata.name' })] },
  });
});

test('pages make one list, selectors choose', async () => {
  const { client, namespace } = h;
  for (let index = 0; index < 5; index++) {
    await client.create(CONFIG_MAPS, configMap(`page-${index}`, {}, { page: index % 2 ? 'odd' : 'even' }));
  }
  const all = await client.list<ConfigMap>(CONFIG_MAPS, { namespace, labelSelector: 'page', pageSize: 2 });
  expect(all.items.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual(
    [0, 1, 2, 3, 4].map((index) => `ConfigMap page-${index}`),
  );
  const odd = await client.list(CONFIG_MAPS, { namespace, labelSelector: 'page=odd', metadataOnly: true });
  expect(odd.items.map(({ metadata }) => metadata.name)).toEqual(['page-1', 'page-3']);
  expect(odd.items[0]).not.toHaveProperty('data');
  const one = await client.list(CONFIG_MAPS, { namespace, fieldSelector: 'metadata.name=page-4' });
  expect(one.items).toHaveLength(1);
});

describe('server-side apply', () => {
  test('owns the fields it sends, drops those it stops sending, and leaves the rest alone', async () => {
    const { client } = h;
    await client.apply(CONFIG_MAPS, configMap('ssa', { ours: '1', gone: '1' }), { fieldManager: 'one' });
    await client.apply(CONFIG_MAPS, configMap('ssa', { theirs: '1' }), { fieldManager: 'two' });
    const after = await client.apply<ConfigMap>(CONFIG_MAPS, configMap('ssa', { ours: '2' }), {
      fieldManager: 'one',
    });
    expect(after.data).toEqual({ ours: '2', theirs: '1' });
    const conflict = client.apply(CONFIG_MAPS, configMap('ssa', { ours: '3' }), {
      fieldManager: 'two',
      force: false,
    });
    await expect(conflict).rejects.toMatchObject({ code: 'Conflict' });
    const same = await client.apply(CONFIG_MAPS, configMap('ssa', { ours: '2' }), { fieldManager: 'one' });
    expect(same.metadata.resourceVersion).toBe(after.metadata.resourceVersion);
  });

  test('replicas belong to whoever scales, through /scale', async () => {
    const { client, namespace } = h;
    const labels = { app: 'scaled' };
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'scaled', namespace },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { containers: [{ name: 'main', image: 'example.com/none:1' }] },
        },
      },
    };
    await client.apply(DEPLOYMENTS, deployment);
    await client.patch(
      DEPLOYMENTS,
      key('scaled'),
      { merge: { spec: { replicas: 0 } } },
      { subresource: 'scale', fieldManager: 'scaler' },
    );
    const applied = await client.apply<KubeObject & { spec: { replicas: number } }>(DEPLOYMENTS, deployment);
    expect(applied.spec.replicas).toBe(0);
    const scale = await client.get<KubeObject & { spec: { replicas?: number } }>(DEPLOYMENTS, key('scaled'), {
      subresource: 'scale',
    });
    // A Scale leaves out zero.
    expect([scale.kind, scale.spec.replicas ?? 0]).toEqual(['Scale', 0]);
    await client.delete(DEPLOYMENTS, key('scaled'));
  });
});

test('a watch from an unknown or compacted version fails with an error', async () => {
  const events = h.client.watch(CONFIG_MAPS, {
    namespace: h.namespace,
    resourceVersion: '0',
    timeoutSeconds: 1,
  });
  const first = await events.next();
  expect(['ADDED', 'BOOKMARK', undefined]).toContain(first.value?.type);
  await events.return(undefined);
});
