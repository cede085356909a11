/** The external metrics API over real TLS, as the aggregator and autoscalers use it. */
import { X509Certificate } from 'node:crypto';
import { createConnection, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import type { Logger } from '../../../operator/kube/logger.ts';
import { issueServingCertificate } from '../../../operator/pki/pki.ts';
import { FakeClock } from '../../unit/kube/support/fake-clock.ts';
import { HOST, startHarness } from './support/metrics-api.ts';
import { accessReviews } from './support/reviewing-api.ts';

const METRIC = '/apis/external.metrics.k8s.io/v1beta1/namespaces/team-a/vllm-operator-requests';
const asHpa = {
  'x-remote-user': 'system:serviceaccount:kube-system:horizontal-pod-autoscaler',
  'x-remote-group': ['system:serviceaccounts', 'system:serviceaccounts:kube-system'],
};

describe('external metrics', () => {
  it('serves the requests of the model that the selector names', async () => {
    const harness = await startHarness();
    harness.samples['team-a'] = [
      { model: 'llama', value: 7, known: true },
      { model: 'mistral', value: 2.5, known: true },
    ];
    const { status, body } = await harness.get(`${METRIC}?labelSelector=model%3Dllama`, {
      certificate: harness.proxy,
      headers: asHpa,
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      kind: 'ExternalMetricValueList',
      apiVersion: 'external.metrics.k8s.io/v1beta1',
      metadata: {},
      items: [
        {
          metricName: 'vllm-operator-requests',
          metricLabels: { model: 'llama' },
          timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
          value: '7',
        },
      ],
    });
    const all = await harness.get(METRIC, { certificate: harness.proxy, headers: asHpa });
    expect(all.body.items.map(({ value }: { value: string }) => value)).toEqual(['7', '2500m']);
  });

  it('serves no value, rather than zero, while demand is unknown', async () => {
    const harness = await startHarness();
    harness.samples['team-a'] = [{ model: 'llama', value: 0, known: false }];
    const { status, body } = await harness.get(METRIC, { certificate: harness.proxy, headers: asHpa });
    expect([status, body.items]).toEqual([200, []]);
  });

  it('explains an unknown metric or selector', async () => {
    const { get, proxy } = await startHarness();
    const options = { certificate: proxy, headers: asHpa };
    expect(await get(METRIC.replace('requests', 'tokens'), options)).toMatchObject({
      status: 404,
      body: { kind: 'Status', reason: 'NotFound', code: 404 },
    });
    expect(
      await get(`${METRIC}?labelSelector=${encodeURIComponent('model in llama')}`, options),
    ).toMatchObject({
      status: 400,
      body: { reason: 'BadRequest', message: expect.stringContaining('key in (a,b)') },
    });
    expect(await get(METRIC, { ...options, method: 'DELETE' })).toMatchObject({
      status: 405,
      body: { reason: 'MethodNotAllowed' },
    });
    expect(
      await get(METRIC, { ...options, headers: { ...asHpa, accept: 'application/vnd.kubernetes.protobuf' } }),
    ).toMatchObject({ status: 406, body: { reason: 'NotAcceptable' } });
  });

  it('answers discovery in both forms, and stubs of OpenAPI', async () => {
    const { get, proxy } = await startHarness();
    const options = { certificate: proxy, headers: { 'x-remote-user': 'system:kube-aggregator' } };
    expect((await get('/apis/external.metrics.k8s.io/v1beta1', options)).body).toMatchObject({
      kind: 'APIResourceList',
      groupVersion: 'external.metrics.k8s.io/v1beta1',
      resources: [{ name: 'externalmetrics', namespaced: true, verbs: ['get'] }],
    });
    expect((await get('/apis', options)).body).toMatchObject({
      kind: 'APIGroupList',
      groups: [{ name: 'external.metrics.k8s.io' }],
    });
    const accept = 'application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io,application/json';
    const aggregated = await get('/apis', { ...options, headers: { ...options.headers, accept } });
    expect(aggregated.type).toBe('application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList');
    expect(aggregated.body).toMatchObject({
      kind: 'APIGroupDiscoveryList',
      items: [{ metadata: { name: 'external.metrics.k8s.io' }, versions: [{ version: 'v1beta1' }] }],
    });
    expect((await get('/openapi/v2', options)).body).toMatchObject({ swagger: '2.0' });
    expect((await get('/openapi/v3', options)).status).toBe(200);
    expect((await get('/nowhere', options)).body).toMatchObject({ kind: 'Status', code: 404 });
  });

  it('serves livez without authentication', async () => {
    const { get } = await startHarness();
    expect(await get('/healthz')).toMatchObject({ status: 200, body: 'ok' });
  });

  it('takes a path that is no URL for the mistake of a client, not for one of its own', async () => {
    const logged: string[] = [];
    const note = (_fields: object, message: string) => void logged.push(message);
    const log: Logger = { debug: note, info: note, warn: note, error: note, child: () => log };
    const { get } = await startHarness({ log });
    for (const path of ['//', '//[', '//a:99999/healthz']) {
      expect(await get(path), path).toMatchObject({ status: 400, body: { reason: 'BadRequest' } });
    }
    expect(logged, 'strangers write no log').toEqual([]);
  });

  it('counts its answers', async () => {
    const { get, registry } = await startHarness();
    await get('/healthz');
    await get('/apis');
    const text = await registry.metrics();
    expect(text).toContain('vllm_operator_metrics_api_requests_total{code="200"} 1');
    expect(text).toContain('vllm_operator_metrics_api_requests_total{code="401"} 1');
  });
});

describe('the server', () => {
  it('takes up a new certificate without a restart', async () => {
    const clock = new FakeClock({ wall: Date.now() });
    const { server, serving } = await startHarness({ clock });
    const before = serving.certificate;
    expect(await servedCertificate(server.port)).toBe(fingerprint(before.certificatePem));
    serving.certificate = await issueServingCertificate(
      serving.authority,
      { dnsNames: [HOST] },
      { now: new Date() },
    );
    await clock.advance(5 * 60_000);
    expect(await servedCertificate(server.port)).toBe(fingerprint(serving.certificate.certificatePem));
  });

  it('has room for others while one address holds all the connections that it gets', async () => {
    const { server, get } = await startHarness();
    const open = () => connection('127.0.0.9', server.port);
    const held = await Promise.all(Array.from({ length: 128 }, open));
    expect(held.map(({ destroyed }) => destroyed)).not.toContain(true);
    const beyond = await open();
    await new Promise((resolve) => beyond.once('close', resolve).resume());
    expect((await get('/healthz')).status).toBe(200);
    held[0]?.destroy();
    await expect
      .poll(() => handshake('127.0.0.9', server.port), { message: 'it has room again' })
      .toBeTruthy();
    for (const socket of held) socket.destroy();
  });

  it('lets no stranger keep a connection, or ask about many tokens at once', async () => {
    const harness = await startHarness();
    const strange = connect({ host: '127.0.0.1', port: harness.server.port, rejectUnauthorized: false });
    strange.write('GET /apis HTTP/1.1\r\nhost: x\r\n\r\n');
    strange.resume();
    await new Promise((resolve) => strange.once('close', resolve));

    const answered = harness.api.fault;
    harness.api.fault = (request) =>
      request.path.endsWith('/tokenreviews') ? { hang: true } : answered(request);
    const reviews = () => harness.api.requests.filter(({ path }) => path.endsWith('/tokenreviews')).length;
    const asked = Array.from({ length: 8 }, (_, i) =>
      harness.get('/apis', { headers: { authorization: `Bearer token-${i}` } }).catch(() => undefined),
    );
    await expect.poll(() => reviews(), { message: 'eight are looked at' }).toBe(8);
    const { status } = await harness.get('/apis', { headers: { authorization: 'Bearer one-more' } });
    expect([status, reviews()]).toEqual([429, 8]);
    harness.api.fault = answered;
    await harness.server.stop();
    await Promise.all(asked);
  });

  it('survives clients that speak no TLS or leave before the answer', async () => {
    const harness = await startHarness();
    const plain = createConnection({ host: '127.0.0.1', port: harness.server.port }, () =>
      plain.write('GET / HTTP/1.1\r\n\r\n'),
    );
    await new Promise((resolve) => plain.on('close', resolve));

    const answered = harness.api.fault;
    harness.api.fault = (request) =>
      request.path.endsWith('/subjectaccessreviews') ? { hang: true } : answered(request);
    const gone = connect({
      host: '127.0.0.1',
      port: harness.server.port,
      cert: harness.proxy.certificatePem,
      key: harness.proxy.privateKeyPem,
      rejectUnauthorized: false,
    });
    gone.write(`GET ${METRIC} HTTP/1.1\r\nhost: x\r\nx-remote-user: jane\r\n\r\n`);
    await expect.poll(() => accessReviews(harness.api).length > 0, { message: 'the review' }).toBe(true);
    gone.destroy();
    harness.api.fault = answered;
    expect((await harness.get('/healthz')).status).toBe(200);
  });
});

/** A TCP connection from an address of the host, without TLS. */
async function connection(localAddress: string, port: number): Promise<Socket> {
  const socket = createConnection({ host: '127.0.0.1', port, localAddress });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

/** Whether the server speaks TLS with a client at this address. */
async function handshake(localAddress: string, port: number): Promise<boolean> {
  const socket = connect({ socket: await connection(localAddress, port), rejectUnauthorized: false });
  const isDone = await new Promise<boolean>((resolve) => {
    socket.once('secureConnect', () => resolve(true)).once('error', () => resolve(false));
  });
  socket.destroy();
  return isDone;
}

async function servedCertificate(port: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

function fingerprint(pem: string): string {
  return new X509Certificate(pem).fingerprint256;
}
