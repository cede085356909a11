import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ApiServer, startApiServer } from '../../../hack/devcluster/apiserver/start-api-server.ts';
import { PATIENCE } from '../../support/patience.ts';
import { type Answer, Api } from './support/api.ts';

const PATH = '/apis/test.example.com/v1/namespaces/default/parcels';
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const APPLY = 'application/apply-patch+yaml';
const MERGE = 'application/merge-patch+json';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

let server: ApiServer;
let api: Api;
let later = 0;

beforeAll(async () => {
  server = await startApiServer({ now: () => new Date(Date.now() + later) });
  api = new Api(server.url);
  await api.create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'parcels.test.example.com' },
    spec: {
      group: 'test.example.com',
      scope: 'Namespaced',
      names: { plural: 'parcels', kind: 'Parcel' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: {
                  type: 'object',
                  properties: {
                    count: { type: 'integer', default: 2 },
                    sealed: { type: 'boolean' },
                    notes: { type: 'object', additionalProperties: { type: 'string' } },
                  },
                },
              },
            },
          },
        },
      ],
    },
  });
  await vi.waitFor(async () => expect((await api.send('GET', PATH)).status).toBe(200), PATIENCE);
});

afterAll(() => server.close());

const parcel = (name: string, spec: unknown, metadata: Record<string, unknown> = {}): unknown => ({
  apiVersion: 'test.example.com/v1',
  kind: 'Parcel',
  metadata: { name, ...metadata },
  spec,
});
const apply = (name: string, manager: string, body: unknown, query = ''): Promise<Answer> =>
  api.send('PATCH', `${PATH}/${name}?fieldManager=${manager}${query}`, body, APPLY);

describe('an apply', () => {
  test('takes nothing away with null, and is refused where null is no value', async () => {
    await apply('nulls', 'one', parcel('nulls', { count: 5, notes: { a: '1' } }));
    const { body } = await apply('nulls', 'two', parcel('nulls', { notes: null }));
    expect(body.spec).toEqual({ count: 5, notes: { a: '1' } });
    expect(await apply('nulls', 'two', parcel('nulls', { sealed: null }))).toMatchObject({ status: 422 });
  });

  test('must name the object, and its kind, and only it', async () => {
    for (const metadata of [{ name: 'other' }, { name: undefined }, { namespace: 'other' }])
      expect((await apply('named', 'one', parcel('named', {}, metadata))).status).toBe(400);
    expect((await apply('named', 'one', { metadata: { name: 'named' } })).status).toBe(400);
  });

  test.each(['', '0', null])('needs no resourceVersion, but no empty one: %j', async (resourceVersion) => {
    await apply('versions', 'one', parcel('versions', { count: 1 }));
    expect(
      (await apply('versions', 'one', parcel('versions', { count: 1 }, { resourceVersion }))).status,
    ).toBe(422);
  });

  test('of kubectl takes over what kubectl applied before, and keeps its annotation in step', async () => {
    const old = parcel('moved', { count: 1 });
    const annotations = { [LAST_APPLIED]: JSON.stringify(old) };
    await api.create(
      `${PATH}?fieldManager=kubectl-client-side-apply`,
      parcel('moved', { count: 1 }, { annotations }),
    );
    expect((await apply('moved', 'helm', parcel('moved', { count: 3 }))).status).toBe(409);
    const { status, body } = await apply('moved', 'kubectl', parcel('moved', { count: 3 }));
    expect(status).toBe(200);
    const { metadata } = body as { metadata: { annotations?: Record<string, string> } };
    expect(JSON.parse(metadata.annotations?.[LAST_APPLIED] ?? '')).toEqual(parcel('moved', { count: 3 }));
  });

  test('to an object without managers leaves its fields to before-first-apply', async () => {
    const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'bare' }, data: { a: '1' } };
    await api.create(CONFIG_MAPS, config);
    await api.ok('PATCH', `${CONFIG_MAPS}/bare`, { metadata: { managedFields: [{}] } }, MERGE);
    const { body } = await api.send('PATCH', `${CONFIG_MAPS}/bare?fieldManager=one`, config, APPLY);
    const { managedFields } = body.metadata as unknown as { managedFields: { manager: string }[] };
    expect(managedFields.map(({ manager }) => manager)).toEqual(['one', 'before-first-apply']);
  });

  test('that changes nothing writes nothing, however late it comes, with empty labels too', async () => {
    const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'same', labels: {} } };
    const send = () => api.send('PATCH', `${CONFIG_MAPS}/same?fieldManager=one`, config, APPLY);
    const { body: first } = await send();
    later += 5_000;
    expect((await send()).body.metadata).toEqual(first.metadata);
  });
});
