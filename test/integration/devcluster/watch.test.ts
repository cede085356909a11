import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type ApiServer, startApiServer } from '../../../hack/devcluster/apiserver/start-api-server.ts';
import { PATIENCE } from '../../support/patience.ts';
import { Api, configMap } from './support/api.ts';

let server: ApiServer;
let api: Api;
const stop = new AbortController();

beforeAll(async () => {
  server = await startApiServer();
  api = new Api(server.url);
});

afterAll(async () => {
  stop.abort();
  await server.close();
});

const names = (lines: { events: { type: string; object: { metadata: { name: string } } }[] }): string[] =>
  lines.events.map((event) => `${event.type} ${event.object.metadata.name}`);

test('a watch resumes where another one ended, without gaps or repetitions', async () => {
  const path = `${await api.namespace('resume')}/configmaps`;
  const a = await api.create(path, configMap('a'));
  await api.create(path, configMap('b'));
  await api.merge(`${path}/a`, { data: { x: '1' } });
  await api.ok('DELETE', `${path}/b`);
  const { lines } = await api.watch(
    `${path}?watch=1&resourceVersion=${a.metadata.resourceVersion}&fieldSelector=metadata.name!=kube-root-ca.crt`,
    stop.signal,
  );
  await lines.waitFor(3, 5000);
  expect(names(lines)).toEqual(['ADDED b', 'MODIFIED a', 'DELETED b']);
  const versions = lines.events.map((event) => Number(event.object.metadata.resourceVersion));
  expect(versions).toEqual(versions.toSorted((x, y) => x - y));
});

test('objects enter and leave a watch as they match its selector or not', async () => {
  const path = `${await api.namespace('selected')}/configmaps`;
  const first = await api.create(path, configMap('a'));
  const { lines } = await api.watch(
    `${path}?watch=1&labelSelector=on=yes&resourceVersion=${first.metadata.resourceVersion}`,
    stop.signal,
  );
  await api.merge(`${path}/a`, { metadata: { labels: { on: 'yes' } } });
  await api.merge(`${path}/a`, { data: { x: '1' } });
  await api.merge(`${path}/a`, { metadata: { labels: { on: 'no' } } });
  await api.merge(`${path}/a`, { data: { x: '2' } });
  await api.create(path, configMap('b', {}, { labels: { on: 'yes' } }));
  await lines.waitFor(4, 5000);
  expect(names(lines)).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a', 'ADDED b']);
});

test('a watch list ends its initial events with a bookmark that says so', async () => {
  const path = `${await api.namespace('listed')}/secrets`;
  await api.create(path, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } });
  const query = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const { lines } = await api.watch(`${path}?${query}`, stop.signal);
  await lines.waitFor(2, 5000);
  expect(lines.events.map((event) => event.type)).toEqual(['ADDED', 'BOOKMARK']);
  expect(lines.events[1]?.object.metadata.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
});

test('what was compacted is gone: watches and continued lists answer 410', async () => {
  const own = await startApiServer();
  try {
    const client = new Api(own.url);
    const path = `${await client.namespace('old')}/configmaps`;
    const a = await client.create(path, configMap('a'));
    await client.create(path, configMap('b'));
    const page = await client.get(`${path}?limit=1`);
    own.compact();
    await client.create(path, configMap('c'));
    const { lines } = await client.watch(
      `${path}?watch=1&resourceVersion=${a.metadata.resourceVersion}`,
      stop.signal,
    );
    await lines.waitFor(1, 5000);
    expect(lines.events[0]).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
    const rest = await client.send('GET', `${path}?limit=1&continue=${page.metadata.continue}`);
    expect(rest).toMatchObject({ status: 410, body: { reason: 'Expired' } });
  } finally {
    await own.close();
  }
});

test('the history of a busy collection is bounded', async () => {
  const own = await startApiServer({ historyLimit: 10 });
  try {
    const client = new Api(own.url);
    const path = `${await client.namespace('busy')}/configmaps`;
    const first = await client.create(path, configMap('a'));
    for (let index = 0; index < 30; index++) await client.merge(`${path}/a`, { data: { x: String(index) } });
    const { lines } = await client.watch(
      `${path}?watch=1&resourceVersion=${first.metadata.resourceVersion}`,
      stop.signal,
    );
    await lines.waitFor(1, 5000);
    expect(lines.events[0]).toMatchObject({ type: 'ERROR', object: { code: 410 } });
  } finally {
    await own.close();
  }
});

test('pages show the state of the first one, whatever changes meanwhile', async () => {
  const path = `${await api.namespace('pages')}/services`;
  const service = (name: string): unknown => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { ports: [{ port: 80 }] },
  });
  for (const name of ['a', 'c', 'e']) await api.create(path, service(name));
  const first = await api.get(`${path}?limit=2`);
  await api.create(path, service('d'));
  await api.ok('DELETE', `${path}/e`);
  const second = await api.get(`${path}?limit=2&continue=${first.metadata.continue}`);
  expect(first.metadata).toMatchObject({ remainingItemCount: 1 });
  expect([...first.items, ...second.items].map((item) => item.metadata.name)).toEqual(['a', 'c', 'e']);
  expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  expect(second.metadata.continue).toBeUndefined();
});

test('many watchers each get every change', async () => {
  const path = `${await api.namespace('many')}/serviceaccounts`;
  await vi.waitFor(async () => expect((await api.send('GET', `${path}/default`)).status).toBe(200), PATIENCE);
  const { resourceVersion } = (await api.get(path)).metadata;
  const query = `watch=1&resourceVersion=${resourceVersion}`;
  const watches = await Promise.all(
    Array.from({ length: 50 }, () => api.watch(`${path}?${query}`, stop.signal)),
  );
  const wanted = Array.from({ length: 20 }, (_, index) => `a${index}`);
  for (const name of wanted)
    await api.create(path, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } });
  for (const { lines } of watches) {
    await lines.waitFor(wanted.length, 5000);
    expect(names(lines)).toEqual(wanted.map((name) => `ADDED ${name}`));
  }
});

test('a watch that is over sends nothing more to a client that has not read it yet', async () => {
  const path = `${await api.namespace('slow')}/configmaps`;
  const data = { x: 'x'.repeat(900_000) };
  for (let i = 0; i < 30; i++) await api.create(path, configMap(`large-${i}`, { data }));
  const unread = connect(Number(new URL(server.url).port), '127.0.0.1');
  unread.pause();
  unread.write(`GET ${path}?watch=1&timeoutSeconds=1 HTTP/1.1\r\nHost: devcluster\r\n\r\n`);
  const began = Date.now();
  // A write after the end would be an error that nobody handles.
  await expect
    .poll(
      async () => {
        await api.merge(`${path}/large-0`, { data: { y: String(Date.now()) } });
        return Date.now() - began;
      },
      { message: 'the second is over', interval: 100 },
    )
    .toBeGreaterThan(3_000);
  unread.destroy();
});
