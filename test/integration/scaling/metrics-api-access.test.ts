/** Who gets into the external metrics API, and who does not. */
import { describe, expect, it } from 'vitest';
import { CONFIG_MAPS } from '../../../operator/kube/resource-types.ts';
import { AUTHENTICATION_CONFIG_MAP } from '../../../operator/metrics-api/authentication-config.ts';
import { createCa } from '../../../operator/pki/certificates.ts';
import { FakeClock } from '../../unit/kube/support/fake-clock.ts';
import { startHarness } from './support/metrics-api.ts';
import { accessReviews, publishCas } from './support/reviewing-api.ts';
import { issueCertificate } from './support/user-certificate.ts';

const METRIC = '/apis/external.metrics.k8s.io/v1beta1/namespaces/team-a/vllm-operator-requests';
const unauthorized = { status: 401, body: { kind: 'Status', reason: 'Unauthorized', code: 401 } };

describe('authentication', () => {
  it('believes the front proxy, with groups, uid and extras', async () => {
    const { get, proxy, api } = await startHarness();
    const headers = {
      'x-remote-user': 'jane',
      'x-remote-uid': '42',
      'x-remote-group': ['a', 'b'],
      'x-remote-extra-scopes.example.com%2fx': ['one', 'two'],
    };
    expect((await get(METRIC, { certificate: proxy, headers })).status).toBe(200);
    expect(accessReviews(api)).toEqual([
      {
        user: 'jane',
        uid: '42',
        groups: ['a', 'b', 'system:authenticated'],
        extra: { 'scopes.example.com/x': ['one', 'two'] },
        resourceAttributes: {
          namespace: 'team-a',
          verb: 'list',
          group: 'external.metrics.k8s.io',
          version: 'v1beta1',
          resource: 'vllm-operator-requests',
        },
      },
    ]);
  });

  it('ignores such headers from other clients', async () => {
    const { get, clientCa, proxyCa } = await startHarness();
    const headers = { 'x-remote-user': 'admin', 'x-remote-group': 'system:masters' };
    expect(await get(METRIC, { headers })).toMatchObject(unauthorized);
    const selfMade = await createCa('front-proxy-client', 3_600_000, { now: new Date() });
    expect(await get(METRIC, { headers, certificate: selfMade })).toMatchObject(unauthorized);
    const otherName = await issueCertificate(proxyCa, { commonName: 'somebody' });
    expect(await get(METRIC, { headers, certificate: otherName })).toMatchObject(unauthorized);
    const expired = await issueCertificate(proxyCa, {
      commonName: 'front-proxy-client',
      notAfter: new Date(Date.now() - 1000),
    });
    expect(await get(METRIC, { headers, certificate: expired })).toMatchObject(unauthorized);
    const serverOnly = await issueCertificate(proxyCa, {
      commonName: 'front-proxy-client',
      usages: ['1.3.6.1.5.5.7.3.1'],
    });
    expect(await get(METRIC, { headers, certificate: serverOnly })).toMatchObject(unauthorized);
    // A user's certificate is who it says, whatever headers come with it.
    const user = await issueCertificate(clientCa, { commonName: 'front-proxy-client' });
    const harness = await startHarness();
    const own = await issueCertificate(harness.clientCa, {
      commonName: 'front-proxy-client',
      organizations: ['dev'],
    });
    expect((await harness.get(METRIC, { headers, certificate: own })).status).toBe(200);
    expect(accessReviews(harness.api)).toMatchObject([
      { user: 'front-proxy-client', groups: ['dev', 'system:authenticated'] },
    ]);
    expect(await harness.get(METRIC, { headers, certificate: user })).toMatchObject(unauthorized);
  });

  it('follows a chain through an intermediate that may sign, and only such', async () => {
    const { get, clientCa, api } = await startHarness();
    const intermediate = await issueCertificate(clientCa, { commonName: 'team CA', ca: true });
    const leaf = await issueCertificate(intermediate, { commonName: 'jane' });
    expect((await get(METRIC, { certificate: leaf, chain: intermediate.certificatePem })).status).toBe(200);
    expect(accessReviews(api)).toMatchObject([{ user: 'jane' }]);
    const noCa = await issueCertificate(clientCa, { commonName: 'mallory' });
    const forged = await issueCertificate(noCa, { commonName: 'admin', organizations: ['system:masters'] });
    expect(await get(METRIC, { certificate: forged, chain: noCa.certificatePem })).toMatchObject(
      unauthorized,
    );
  });

  it('has bearer tokens reviewed, and asks once for a while', async () => {
    const clock = new FakeClock({ wall: Date.now() });
    const { get, api, reviews } = await startHarness({ clock });
    reviews.tokens.good = { username: 'system:serviceaccount:a:b', groups: ['system:serviceaccounts'] };
    const asked = () => api.requests.filter(({ path }) => path.endsWith('/tokenreviews')).length;
    const good = { headers: { authorization: 'Bearer good' } };
    expect((await get(METRIC, good)).status).toBe(200);
    expect((await get(METRIC, good)).status).toBe(200);
    expect(asked()).toBe(1);
    expect(accessReviews(api)).toMatchObject([{ user: 'system:serviceaccount:a:b' }]);
    expect(await get(METRIC, { headers: { authorization: 'Bearer bad' } })).toMatchObject(unauthorized);
    expect(await get(METRIC, { headers: { authorization: 'Basic good' } })).toMatchObject(unauthorized);
    await clock.advance(10_000);
    delete reviews.tokens.good;
    expect(await get(METRIC, good)).toMatchObject(unauthorized);
  });

  it('learns of new CAs without a restart', async () => {
    const clock = new FakeClock({ wall: Date.now() });
    const { get, api } = await startHarness({ clock });
    const ca = await createCa('new front proxy', 86_400_000, { now: new Date() });
    const certificate = await issueCertificate(ca, { commonName: 'aggregator' });
    const request = { certificate, headers: { 'x-remote-user': 'jane' } };
    expect(await get(METRIC, request)).toMatchObject(unauthorized);
    publishCas(api, { proxy: ca, allowedNames: [] });
    await clock.advance(5_000);
    expect((await get(METRIC, request)).status).toBe(200);
  });

  it('rejects certificates while the CAs cannot be read, and retries', async () => {
    const clock = new FakeClock({ wall: Date.now() });
    const { get, api, proxy } = await startHarness({ clock });
    const { fault } = api;
    api.fault = (request) => (request.path.includes('/configmaps/') ? { status: 403 } : fault(request));
    const request = { certificate: proxy, headers: { 'x-remote-user': 'jane' } };
    expect(await get(METRIC, request)).toMatchObject(unauthorized);
    api.fault = fault;
    await clock.advance(5_000);
    expect((await get(METRIC, request)).status).toBe(200);
  });
});

describe('authorization', () => {
  it('lets RBAC decide, in the words of an API server, and asks once for a while', async () => {
    const clock = new FakeClock({ wall: Date.now() });
    const { get, api, proxy, reviews } = await startHarness({ clock });
    reviews.allows = ({ user }) => user === 'jane';
    const jane = { certificate: proxy, headers: { 'x-remote-user': 'jane' } };
    const joe = { certificate: proxy, headers: { 'x-remote-user': 'joe' } };
    expect((await get(METRIC, jane)).status).toBe(200);
    expect((await get(METRIC, jane)).status).toBe(200);
    expect(accessReviews(api).length).toBe(1);
    expect(await get(METRIC, joe)).toMatchObject({
      status: 403,
      body: {
        kind: 'Status',
        reason: 'Forbidden',
        message:
          'vllm-operator-requests.external.metrics.k8s.io is forbidden: User "joe" cannot list resource ' +
          '"vllm-operator-requests" in API group "external.metrics.k8s.io" in the namespace "team-a"',
      },
    });
    expect(await get('/apis', joe)).toMatchObject({
      status: 403,
      body: { message: 'forbidden: User "joe" cannot get path "/apis"' },
    });
    reviews.allows = () => true;
    await clock.advance(10_000);
    expect((await get(METRIC, joe)).status).toBe(200);
    reviews.allows = () => false;
    expect((await get(METRIC, jane)).status).toBe(200);
    await clock.advance(60_000);
    expect((await get(METRIC, jane)).status).toBe(403);
  });

  it('lets system:masters in without asking, as the aggregator probes', async () => {
    const { get, api, proxy, reviews } = await startHarness();
    reviews.allows = () => false;
    const headers = { 'x-remote-user': 'system:kube-aggregator', 'x-remote-group': 'system:masters' };
    expect((await get('/apis/external.metrics.k8s.io/v1beta1', { certificate: proxy, headers })).status).toBe(
      200,
    );
    expect(accessReviews(api)).toEqual([]);
  });

  it('asks about so many requests of one user at once, whoever else asks', async () => {
    const { get, proxy, reviewsHang } = await startHarness();
    const { asked, release } = reviewsHang();
    const as = (user: string) => ({ certificate: proxy, headers: { 'x-remote-user': user } });
    const waiting = Array.from({ length: 16 }, (_, i) => get(`/path-${i}`, as('joe')).catch(() => undefined));
    await expect.poll(asked, { message: 'sixteen are asked about' }).toBe(16);
    expect(await get('/path-16', as('joe'))).toMatchObject({
      status: 429,
      body: { reason: 'TooManyRequests' },
    });
    waiting.push(get(METRIC, as('jane')).catch(() => undefined));
    await expect.poll(asked, { message: 'so is another user' }).toBe(17);
    await release();
    await Promise.all(waiting);
  });

  it('bounds service accounts by their namespace, because a team can have any number of them', async () => {
    const { get, proxy, reviewsHang } = await startHarness();
    const { asked, release } = reviewsHang();
    const as = (user: string) => ({ certificate: proxy, headers: { 'x-remote-user': user } });
    const account = (i: number) => as(`system:serviceaccount:team-a:robot-${i}`);
    const waiting = Array.from({ length: 16 }, (_, i) => get(METRIC, account(i)).catch(() => undefined));
    await expect.poll(asked, { message: 'sixteen are asked about' }).toBe(16);
    expect(await get(METRIC, account(16))).toMatchObject({ status: 429 });
    waiting.push(get(METRIC, as('system:serviceaccount:team-b:robot')).catch(() => undefined));
    await expect.poll(asked, { message: 'so is one of another namespace' }).toBe(17);
    await release();
    await Promise.all(waiting);
  });

  it('leaves the other requests of the operator their connections, however many users ask', async () => {
    const { get, proxy, client, reviewsHang } = await startHarness();
    const { release } = reviewsHang();
    const as = (i: number) => ({
      certificate: proxy,
      headers: { 'x-remote-user': `system:serviceaccount:team-${i % 8}:robot` },
    });
    const waiting = Array.from({ length: 97 }, (_, i) => get(`/path-${i}`, as(i)).catch(() => undefined));
    expect(await Promise.race(waiting)).toMatchObject({
      status: 503,
      body: { reason: 'ServiceUnavailable' },
    });
    const found = await client.get(CONFIG_MAPS, AUTHENTICATION_CONFIG_MAP, { timeoutMs: 5_000 });
    expect(found.metadata.name).toBe(AUTHENTICATION_CONFIG_MAP.name);
    await release();
    await Promise.all(waiting);
  });

  it('rejects if the API server does not respond, and does not cache that', async () => {
    const { get, api, proxy } = await startHarness();
    const { fault } = api;
    api.fault = (request) =>
      request.path.endsWith('/subjectaccessreviews') ? { status: 500 } : fault(request);
    const jane = { certificate: proxy, headers: { 'x-remote-user': 'jane' } };
    expect(await get(METRIC, jane)).toMatchObject({
      status: 500,
      body: { kind: 'Status', reason: 'InternalError' },
    });
    api.fault = fault;
    expect((await get(METRIC, jane)).status).toBe(200);
  });
});
