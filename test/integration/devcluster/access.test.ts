import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ApiServer, startApiServer } from '../../../hack/devcluster/apiserver/start-api-server.ts';
import { PATIENCE } from '../../support/patience.ts';
import { Api } from './support/api.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const ACCOUNT = 'system:serviceaccount:team:op';

let server: ApiServer;
let api: Api;

beforeAll(async () => {
  server = await startApiServer();
  api = new Api(server.url);
  const path = await api.namespace('team');
  await api.create(`${path}/serviceaccounts`, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'op' },
  });
  await grant('reader', [{ apiGroups: [''], resources: ['configmaps', 'pods/log'], verbs: ['get', 'list'] }]);
  await grant('one-secret', [
    { apiGroups: [''], resources: ['secrets'], resourceNames: ['mine'], verbs: ['get'] },
  ]);
});

afterAll(() => server.close());

async function grant(name: string, rules: unknown[]): Promise<void> {
  const path = `${RBAC}/namespaces/team`;
  await api.create(`${path}/roles`, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name },
    rules,
  });
  await api.create(`${path}/rolebindings`, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name: 'op', namespace: 'team' }],
  });
}

interface SecureAnswer {
  status: number;
  body: { reason?: string; message?: string; status?: { userInfo?: { username: string; groups: string[] } } };
}

/** A request to the TLS listener with a bearer token or a client certificate. */
async function secure(
  path: string,
  options: { token?: string; cert?: string; key?: string; method?: string; body?: unknown },
): Promise<SecureAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<SecureAnswer>();
  const { token, cert, key, method = 'GET', body } = options;
  const headers = {
    ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    'Content-Type': 'application/json',
  };
  const call = request(
    new URL(path, server.secureUrl),
    { method, headers, ca: server.caPem, ...(cert ? { cert, key } : {}) },
    (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          body: text.startsWith('{') ? (JSON.parse(text) as SecureAnswer['body']) : {},
        }),
      );
    },
  );
  call.on('error', reject);
  call.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}

async function tokenOf(account: string, spec: Record<string, unknown> = {}): Promise<string> {
  const answer = await api.create(`/api/v1/namespaces/team/serviceaccounts/${account}/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec,
  });
  return String(answer.status.token);
}

const WHO_AM_I = {
  method: 'POST',
  body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
};
const REVIEWS = '/apis/authentication.k8s.io/v1/selfsubjectreviews';

describe('authorization', () => {
  test.each([
    ['list', '/api/v1/namespaces/team/configmaps', 200],
    ['get a missing one', '/api/v1/namespaces/team/configmaps/x', 404],
    ['watch', '/api/v1/namespaces/team/configmaps?watch=1', 403],
    ['list in another namespace', '/api/v1/namespaces/default/configmaps', 403],
    ['list in all namespaces', '/api/v1/configmaps', 403],
    ['the subresource that is named', '/api/v1/namespaces/team/pods/x/log', 404],
    ['the resource of that subresource', '/api/v1/namespaces/team/pods/x', 403],
    ['the name that is listed', '/api/v1/namespaces/team/secrets/mine', 404],
    ['another name', '/api/v1/namespaces/team/secrets/other', 403],
    ['discovery', '/apis', 200],
    ['health', '/readyz', 200],
    ['another path', '/metrics', 403],
  ])('%s', async (_what, path, status) => {
    expect((await api.as(ACCOUNT).send('GET', path)).status).toBe(status);
  });

  test('the answer says who may not do what where', async () => {
    const { body } = await api.as(ACCOUNT).send('GET', '/api/v1/namespaces/team/secrets');
    expect(body.message).toBe(
      `secrets is forbidden: User "${ACCOUNT}" cannot list resource "secrets" in API group "" in the namespace "team"`,
    );
  });

  test('a binding that goes takes the right along', async () => {
    await grant('passing', [{ apiGroups: ['apps'], resources: ['deployments'], verbs: ['list'] }]);
    const path = '/apis/apps/v1/namespaces/team/deployments';
    expect((await api.as(ACCOUNT).send('GET', path)).status).toBe(200);
    await api.ok('DELETE', `${RBAC}/namespaces/team/rolebindings/passing`);
    expect((await api.as(ACCOUNT).send('GET', path)).status).toBe(403);
  });

  test('roles aggregate those that carry their label', async () => {
    const role = (name: string, rest: Record<string, unknown>): unknown => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      ...rest,
      metadata: { name, ...(rest.metadata as Record<string, unknown> | undefined) },
    });
    await api.create(`${RBAC}/namespaces/team/rolebindings`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'viewer' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'User', name: 'vera' }],
    });
    const path = '/apis/storage.k8s.io/v1/namespaces/team/csistoragecapacities';
    expect((await api.as('vera').send('GET', path)).status).toBe(403);
    const labels = { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' };
    const rules = [{ apiGroups: ['storage.k8s.io'], resources: ['csistoragecapacities'], verbs: ['list'] }];
    await api.create(`${RBAC}/clusterroles`, role('more', { metadata: { labels }, rules }));
    expect((await api.as('vera').send('GET', path)).status).toBe(200);
    expect((await api.as('vera').send('GET', '/api/v1/namespaces/team/secrets')).status).toBe(403);
  });

  test('rules reviews list what is granted', async () => {
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectRulesReview',
      spec: { namespace: 'team' },
    };
    const answer = await api
      .as(ACCOUNT)
      .ok('POST', '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', review);
    expect(answer.status.resourceRules).toContainEqual({
      apiGroups: [''],
      resources: ['configmaps', 'pods/log'],
      verbs: ['get', 'list'],
    });
  });
});

describe('the TLS listener', () => {
  test('knows a service account by its token', async () => {
    const answer = await secure(REVIEWS, { ...WHO_AM_I, token: await tokenOf('op') });
    expect(answer.body.status?.userInfo).toMatchObject({
      username: ACCOUNT,
      groups: ['system:serviceaccounts', 'system:serviceaccounts:team', 'system:authenticated'],
    });
  });

  test('knows the administrator by the certificate in the kubeconfig', async () => {
    const config = JSON.parse(server.adminKubeconfig()) as { users: { user: Record<string, string> }[] };
    const part = (name: string): string =>
      Buffer.from(config.users[0]?.user[name] ?? '', 'base64').toString('utf8');
    const identity = { cert: part('client-certificate-data'), key: part('client-key-data') };
    const answer = await secure(REVIEWS, { ...WHO_AM_I, ...identity });
    expect(answer.body.status?.userInfo).toMatchObject({
      username: 'kubernetes-admin',
      groups: ['system:masters', 'system:authenticated'],
    });
    expect((await secure('/api/v1/secrets', identity)).status).toBe(200);
  });

  test('refuses a wrong token, and one without rights', async () => {
    expect((await secure('/api', { token: 'eyJh.bGci.OiJI' })).status).toBe(401);
    expect((await secure('/api/v1/namespaces/team/secrets', { token: await tokenOf('op') })).status).toBe(
      403,
    );
  });

  test('lets the anonymous see little', async () => {
    expect((await secure('/version', {})).status).toBe(200);
    expect((await secure('/api/v1/namespaces', {})).body.message).toContain('system:anonymous');
  });

  test('a token dies with its account', async () => {
    const path = '/api/v1/namespaces/team/serviceaccounts';
    await api.create(path, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'short' } });
    const token = await tokenOf('short');
    expect((await secure('/version', { token })).status).toBe(200);
    await api.ok('DELETE', `${path}/short`);
    expect((await secure('/version', { token })).status).toBe(401);
  });

  test('only who may impersonate can', async () => {
    const token = await tokenOf('op');
    const { promise, resolve } = Promise.withResolvers<number>();
    const headers = { Authorization: `Bearer ${token}`, 'Impersonate-User': 'kubernetes-admin' };
    request(new URL('/api', server.secureUrl), { headers, ca: server.caPem }, (answer) =>
      resolve(answer.statusCode ?? 0),
    ).end();
    expect(await promise).toBe(403);
  });

  test('token reviews check tokens and their audience', async () => {
    const review = async (spec: Record<string, unknown>): Promise<Record<string, unknown>> =>
      (
        await api.create('/apis/authentication.k8s.io/v1/tokenreviews', {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenReview',
          spec,
        })
      ).status;
    const token = await tokenOf('op', { audiences: ['router'] });
    expect(await review({ token, audiences: ['router'] })).toMatchObject({
      authenticated: true,
      audiences: ['router'],
      user: { username: ACCOUNT },
    });
    expect(await review({ token })).toMatchObject({ error: expect.stringContaining('audiences') });
    await vi.waitFor(
      async () =>
        expect(await review({ token: 'x.y.z' })).toEqual({ user: {}, error: 'invalid bearer token' }),
      PATIENCE,
    );
  });
});
