import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type ApiServer, startApiServer } from '../../../hack/devcluster/apiserver/start-api-server.ts';
import { type CertificateAndKey, createCa, issueLeaf } from '../../../operator/pki/certificates.ts';
import { PATIENCE } from '../../support/patience.ts';
import { Api, type Obj } from './support/api.ts';

const GROUP = 'external.metrics.k8s.io';
const NAME = `v1beta1.${GROUP}`;
const RESOURCES = {
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: `${GROUP}/v1beta1`,
  resources: [
    { name: 'inflight', singularName: '', namespaced: true, kind: 'ExternalMetricValueList', verbs: ['get'] },
  ],
};

const HOUR_MS = 3_600_000;

let server: ApiServer;
let api: Api;
let backend: Server;
let authority: CertificateAndKey;

beforeAll(async () => {
  server = await startApiServer();
  api = new Api(server.url);
  authority = await createCa('metrics', HOUR_MS, { now: new Date() });
  const leaf = await issueLeaf(
    authority,
    { commonName: 'metrics', usage: 'server', dnsNames: ['metrics.monitoring.svc'], lifetimeMs: HOUR_MS },
    { now: new Date() },
  );
  const path = await api.namespace('monitoring');
  const { data } = (await api.get(
    '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication',
  )) as Obj & { data: Record<string, string> };
  const ca = data['requestheader-client-ca-file'];
  backend = createServer(
    { cert: leaf.certificatePem, key: leaf.privateKeyPem, requestCert: true, rejectUnauthorized: true, ca },
    (request, response) => {
      response.setHeader('Content-Type', 'application/json');
      const caller =
        request.socket instanceof TLSSocket ? request.socket.getPeerCertificate().subject.CN : '';
      const discovery = request.url === `/apis/${GROUP}/v1beta1`;
      response.end(
        JSON.stringify(
          discovery ? RESOURCES : { url: request.url, user: request.headers['x-remote-user'], caller },
        ),
      );
    },
  );
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  await api.create(`${path}/services`, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'metrics' },
    spec: { ports: [{ name: 'https', port: 443, targetPort: 'https' }] },
  });
});

afterAll(async () => {
  backend.closeAllConnections();
  backend.close();
  await server.close();
});

async function condition(): Promise<unknown> {
  const service = await api.get(`/apis/apiregistration.k8s.io/v1/apiservices/${NAME}`);
  return (service.status.conditions as { status: string; reason: string }[] | undefined)?.[0];
}

test('a registered API is served by its backend, once that is there', async () => {
  await api.create('/apis/apiregistration.k8s.io/v1/apiservices', {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: NAME },
    spec: {
      group: GROUP,
      version: 'v1beta1',
      groupPriorityMinimum: 100,
      versionPriority: 100,
      caBundle: Buffer.from(authority.certificatePem).toString('base64'),
      service: { namespace: 'monitoring', name: 'metrics', port: 443 },
    },
  });
  await vi.waitFor(
    async () => expect(await condition()).toMatchObject({ status: 'False', reason: 'FailedDiscoveryCheck' }),
    PATIENCE,
  );
  expect((await api.send('GET', `/apis/${GROUP}/v1beta1/namespaces/team/inflight`)).status).toBe(503);

  await api.create('/apis/discovery.k8s.io/v1/namespaces/monitoring/endpointslices', {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'metrics-1', labels: { 'kubernetes.io/service-name': 'metrics' } },
    addressType: 'IPv4',
    ports: [{ name: 'https', port: (backend.address() as AddressInfo).port }],
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
  });
  const answer = await api.as('alice').send('GET', `/apis/${GROUP}/v1beta1/namespaces/team/inflight`);
  expect(answer.status).toBe(403);
  await vi.waitFor(
    async () => expect(await condition()).toMatchObject({ status: 'True', reason: 'Passed' }),
    PATIENCE,
  );
  expect(await api.get(`/apis/${GROUP}/v1beta1/namespaces/team/inflight?labelSelector=model%3Dm`)).toEqual({
    url: `/apis/${GROUP}/v1beta1/namespaces/team/inflight?labelSelector=model%3Dm`,
    user: 'kubernetes-admin',
    caller: 'front-proxy-client',
  });
  const groups = (await api.get('/apis')) as Obj & { groups: { name: string }[] };
  expect(groups.groups.map(({ name }) => name)).toContain(GROUP);
});
