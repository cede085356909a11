import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { textLines } from '../../../operator/kube/json-lines.ts';
import { CONFIG_MAPS, DEPLOYMENTS, NODES } from '../../../operator/kube/resource-types.ts';
import { configMap, MiniApi } from './support/mini-api.ts';

let api: MiniApi;
beforeEach(async () => {
  api = await MiniApi.start();
});
afterEach(() => api.close());

const names = (objects: { metadata: { name: string } }[]) => objects.map(({ metadata }) => metadata.name);

describe('list', () => {
  test('reads all pages and fills in what lists of built-in kinds leave out', async () => {
    for (let index = 0; index < 7; index++) {
      api.store.put(CONFIG_MAPS, configMap(`c${index}`));
    }
    const list = await api.client().list(CONFIG_MAPS, { pageSize: 3 });
    expect(names(list.items)).toEqual(['c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6']);
    expect(list.items[6]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
    expect(list.resourceVersion).toBe(String(api.store.version));
    expect(api.requests.map(({ query }) => query.get('limit'))).toEqual(['3', '3', '3']);
  });

  test('a page of the largest objects that etcd takes fits into the memory of a small pod', async () => {
    await api.client().list(CONFIG_MAPS);
    const most = Number(api.requests[0]?.query.get('limit')) * 1.5 * 2 ** 20;
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(128 * 2 ** 20);
  });

  test('a page that has expired in between leads to one complete list', async () => {
    for (let index = 0; index < 4; index++) {
      api.store.put(CONFIG_MAPS, configMap(`c${index}`));
    }
    api.fault = ({ query }) => {
      if (query.get('continue')) {
        api.store.remove(CONFIG_MAPS, 'default/c0');
        api.store.compact();
      }
      return undefined;
    };
    const list = await api.client().list(CONFIG_MAPS, { pageSize: 2 });
    expect(names(list.items)).toEqual(['c1', 'c2', 'c3']);
    expect(api.requests.map(({ query }) => query.get('limit'))).toEqual(['2', '2', null]);
  });
});

describe('paths', () => {
  test.each([
    [
      () => api.client().get(DEPLOYMENTS, { namespace: 'a', name: 'b' }, { subresource: 'scale' }),
      '/apis/apps/v1/namespaces/a/deployments/b/scale',
    ],
    [() => api.client().get(NODES, { namespace: 'ignored', name: 'n' }), '/api/v1/nodes/n'],
    [() => api.client().list(DEPLOYMENTS), '/apis/apps/v1/deployments'],
    [() => api.client().list(DEPLOYMENTS, { namespace: 'a' }), '/apis/apps/v1/namespaces/a/deployments'],
    [() => api.client().get(NODES, { name: 'system:x/y' }), '/api/v1/nodes/system%3Ax%2Fy'],
  ])('%# goes to %s', async (call, path) => {
    await call().catch(() => {});
    expect(api.requests[0]?.path).toBe(path);
  });

  test('an object of a namespaced type without its namespace is never asked for', async () => {
    await expect(api.client().get(DEPLOYMENTS, { name: 'b' })).rejects.toThrow(
      'Deployment b needs a namespace',
    );
    expect(api.requests).toHaveLength(0);
  });
});

describe('writes', () => {
  test('say who writes and how', async () => {
    const client = api.client();
    await client.create(CONFIG_MAPS, configMap('a'), { dryRun: true });
    await client.apply(CONFIG_MAPS, configMap('a', { x: '1' }), { fieldManager: 'other' });
    await client.patch(CONFIG_MAPS, { namespace: 'default', name: 'a' }, { merge: { data: { y: '2' } } });
    await client.patch(CONFIG_MAPS, { namespace: 'default', name: 'a' }, { json: [] }).catch(() => {});
    await client
      .delete(CONFIG_MAPS, { namespace: 'default', name: 'a' }, { preconditions: { uid: 'no' } })
      .catch(() => {});
    const sent = api.requests.map(
      ({ method, query, headers }) => `${method} ${headers['content-type']} ${query}`,
    );
    expect(sent).toEqual([
      'POST application/json fieldManager=test&dryRun=All',
      'PATCH application/apply-patch+yaml fieldManager=other&force=true',
      'PATCH application/merge-patch+json fieldManager=test',
      'PATCH application/json-patch+json fieldManager=test',
      'DELETE application/json ',
    ]);
    expect(JSON.parse(api.requests[4]?.body ?? '')).toEqual({
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions: { uid: 'no' },
    });
  });

  test('fields that no model knows go there and back', async () => {
    const object = { ...configMap('a'), spec: { brandNew: [{ deep: null, n: 1.5 }] } };
    const stored = await api.client().create(CONFIG_MAPS, object);
    expect(stored).toMatchObject({ spec: { brandNew: [{ n: 1.5 }] } });
  });
});

describe('watch', () => {
  test('a line that is no event ends it with Malformed', async () => {
    api.fault = () => ({
      lines: ['{"type":"ADDED","object":{"metadata":{"name":"a"}}}', '{"type":"ADD'],
      ending: 'hang',
    });
    const watch = api.client().watch(CONFIG_MAPS);
    expect((await watch.next()).value).toMatchObject({ type: 'ADDED' });
    await expect(watch.next()).rejects.toMatchObject({ code: 'Malformed' });
  });

  test.each([true, false])('an expired version is Expired, told by event: %s', async (byEvent) => {
    api.store.compact();
    api.expireByEvent = byEvent;
    await expect(api.client().watch(CONFIG_MAPS, { resourceVersion: '5' }).next()).rejects.toMatchObject({
      code: 'Expired',
      status: 410,
    });
  });
});

test('lines are whole however the bytes are cut', async () => {
  const line = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ''));
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.nat(40)), line, async (lines, cuts, cutOff) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join('') + cutOff);
      const chunks: Buffer[] = [];
      let rest = bytes;
      for (const cut of cuts) {
        chunks.push(rest.subarray(0, cut));
        rest = rest.subarray(cut);
      }
      async function* source() {
        yield* [...chunks, rest];
      }
      const read: string[] = [];
      for await (const text of textLines(source())) {
        read.push(text);
      }
      expect(read).toEqual(lines.filter((text) => text !== ''));
    }),
    { numRuns: 200 },
  );
});
