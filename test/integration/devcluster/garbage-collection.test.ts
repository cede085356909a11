import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type ApiServer, startApiServer } from '../../../hack/devcluster/apiserver/start-api-server.ts';
import { PATIENCE } from '../../support/patience.ts';
import { Api, configMap, type Obj } from './support/api.ts';

let server: ApiServer;
let api: Api;

beforeAll(async () => {
  server = await startApiServer();
  api = new Api(server.url);
});

afterAll(() => server.close());

function ownedBy(owner: Obj, rest: Record<string, unknown> = {}): Record<string, unknown> {
  const { name, uid } = owner.metadata;
  return { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name, uid, ...rest }] };
}

async function gone(path: string): Promise<void> {
  await vi.waitFor(async () => expect((await api.send('GET', path)).status).toBe(404), PATIENCE);
}

test('dependents go with their owner, through all levels', async () => {
  const path = `${await api.namespace('levels')}/configmaps`;
  const top = await api.create(path, configMap('top'));
  const middle = await api.create(path, configMap('middle', {}, ownedBy(top)));
  await api.create(path, configMap('bottom', {}, ownedBy(middle)));
  await api.ok('DELETE', `${path}/top`);
  await gone(`${path}/bottom`);
});

test('an object with a living owner stays and forgets the one that went', async () => {
  const path = `${await api.namespace('two')}/configmaps`;
  const a = await api.create(path, configMap('a'));
  const b = await api.create(path, configMap('b'));
  const owners = [a, b].map((owner) => (ownedBy(owner).ownerReferences as unknown[])[0]);
  await api.create(path, configMap('child', {}, { ownerReferences: owners }));
  await api.ok('DELETE', `${path}/a`);
  await vi.waitFor(
    async () => expect((await api.get(`${path}/child`)).metadata.ownerReferences).toHaveLength(1),
    PATIENCE,
  );
});

test('an owner of the same name with another uid is not the owner', async () => {
  const path = `${await api.namespace('again')}/configmaps`;
  const first = await api.create(path, configMap('owner'));
  await api.ok('DELETE', `${path}/owner`);
  await api.create(path, configMap('owner'));
  await api.create(path, configMap('child', {}, ownedBy(first)));
  await gone(`${path}/child`);
  expect((await api.get(`${path}/owner`)).metadata.name).toBe('owner');
});

test('foreground deletion keeps the owner until what blocks it is gone', async () => {
  const path = `${await api.namespace('foreground')}/configmaps`;
  const owner = await api.create(path, configMap('owner'));
  const blocking = { ...ownedBy(owner, { blockOwnerDeletion: true }), finalizers: ['example.com/hold'] };
  await api.create(path, configMap('child', {}, blocking));
  await api.ok('DELETE', `${path}/owner?propagationPolicy=Foreground`);
  await vi.waitFor(
    async () => expect((await api.get(`${path}/child`)).metadata.deletionTimestamp).toBeDefined(),
    PATIENCE,
  );
  expect((await api.get(`${path}/owner`)).metadata.finalizers).toEqual(['foregroundDeletion']);
  await api.merge(`${path}/child`, { metadata: { finalizers: null } });
  await gone(`${path}/owner`);
});

test('a namespace goes when its contents are gone, finalizers included', async () => {
  const namespace = await api.namespace('leaving');
  await api.create(`${namespace}/configmaps`, configMap('kept', {}, { finalizers: ['example.com/hold'] }));
  await api.ok('DELETE', namespace);
  await vi.waitFor(
    async () =>
      expect((await api.get(`${namespace}/configmaps/kept`)).metadata.deletionTimestamp).toBeDefined(),
    PATIENCE,
  );
  expect((await api.get(namespace)).status).toEqual({ phase: 'Terminating' });
  expect((await api.send('POST', `${namespace}/configmaps`, configMap('late'))).status).toBe(403);
  await api.merge(`${namespace}/configmaps/kept`, { metadata: { finalizers: null } });
  await gone(namespace);
});

test('every namespace gets a service account and the CA, also again when they are deleted', async () => {
  const namespace = await api.namespace('filled');
  await vi.waitFor(async () => {
    const { data } = (await api.get(`${namespace}/configmaps/kube-root-ca.crt`)) as Obj & {
      data: Record<string, string>;
    };
    expect(data['ca.crt']).toContain('BEGIN CERTIFICATE');
  }, PATIENCE);
  await api.ok('DELETE', `${namespace}/serviceaccounts/default`);
  await vi.waitFor(
    async () => expect((await api.send('GET', `${namespace}/serviceaccounts/default`)).status).toBe(200),
    PATIENCE,
  );
});
