/** A running metrics API with everything it needs, and clients for it. */
import { Registry } from 'prom-client';
import { Agent, request } from 'undici';
import { afterEach } from 'vitest';
import { KubeClient } from '../../../../operator/kube/client.ts';
import type { Clock } from '../../../../operator/kube/clock.ts';
import type { Logger } from '../../../../operator/kube/logger.ts';
import { REVIEW_CONNECTIONS } from '../../../../operator/metrics-api/access-reviewer.ts';
import type { MetricSample } from '../../../../operator/metrics-api/metric-values.ts';
import { MetricsApiServer } from '../../../../operator/metrics-api/metrics-api-server.ts';
import { type CertificateAndKey, createCa } from '../../../../operator/pki/certificates.ts';
import {
  type Authority,
  createAuthority,
  issueServingCertificate,
  trustBundle,
} from '../../../../operator/pki/pki.ts';
import type { MiniApi } from '../../../unit/kube/support/mini-api.ts';
import { accessReviews, publishCas, type Reviews, startReviewingApi } from './reviewing-api.ts';
import { issueCertificate } from './user-certificate.ts';

export const HOST = 'vllm-operator-metrics.vllm-system.svc';

export interface Reply {
  status: number;
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of an API, looked into by tests
  body: any;
}

export interface Harness {
  api: MiniApi;
  /** What the operator uses for everything but reviews. */
  client: KubeClient;
  server: MetricsApiServer;
  registry: Registry;
  reviews: Reviews;
  /** By namespace. */
  samples: Record<string, MetricSample[]>;
  clientCa: CertificateAndKey;
  proxyCa: CertificateAndKey;
  proxy: CertificateAndKey;
  serving: { certificate: CertificateAndKey; authority: Authority };
  get(path: string, options?: GetOptions): Promise<Reply>;
  /** From now on no SubjectAccessReview is answered. `asked` counts them; `release` ends those that wait. */
  reviewsHang(): { asked: () => number; release: () => Promise<void> };
}

export interface GetOptions {
  certificate?: CertificateAndKey;
  /** Sent before the client's own certificate's issuer. */
  chain?: string;
  headers?: Record<string, string | string[]>;
  method?: 'GET' | 'POST' | 'DELETE';
}

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Runs after the test, in reverse order. */
export function closeAfterTest(close: () => Promise<unknown>): void {
  closing.push(close);
}

/** Starts the API; everybody may do everything unless the test says otherwise. */
export async function startHarness({ clock, log }: { clock?: Clock; log?: Logger } = {}): Promise<Harness> {
  const now = { now: new Date() };
  const authority = await createAuthority(now);
  const serving = {
    authority,
    certificate: await issueServingCertificate(authority, { dnsNames: [HOST] }, now),
  };
  const clientCa = await createCa('cluster users', 86_400_000, now);
  const proxyCa = await createCa('front proxy', 86_400_000, now);
  const reviews: Reviews = { tokens: {}, allows: () => true };
  const samples: Harness['samples'] = {};
  const registry = new Registry();
  const api = await startReviewingApi(reviews);
  closing.push(() => api.close());
  publishCas(api, { client: clientCa, proxy: proxyCa });
  const transport = api.transport();
  closing.push(() => transport.close());
  const client = new KubeClient(transport);
  const server = new MetricsApiServer({
    client,
    reviews: client.withOwnConnections(REVIEW_CONNECTIONS),
    source: (namespace) => samples[namespace] ?? [],
    certificate: async () => serving.certificate,
    port: 0,
    host: '127.0.0.1',
    registry,
    ...(clock && { clock }),
    ...(log && { log }),
  });
  await server.start();
  closing.push(() => server.stop());
  return {
    api,
    client,
    server,
    registry,
    reviews,
    samples,
    clientCa,
    proxyCa,
    proxy: await issueCertificate(proxyCa, { commonName: 'front-proxy-client' }),
    serving,
    get: (path, options = {}) =>
      get(`https://127.0.0.1:${server.port}${path}`, trustBundle(serving.authority), options),
    reviewsHang: () => {
      const { fault } = api;
      api.fault = (request) =>
        request.path.endsWith('/subjectaccessreviews') ? { hang: true } : fault(request);
      const release = async () => {
        api.fault = fault;
        await server.stop();
      };
      return { asked: () => accessReviews(api).length, release };
    },
  };
}

/** One request on a connection of its own, verified as the aggregator does: by the CA bundle and the Service's name. */
export async function get(
  url: string,
  ca: string,
  { certificate, chain = '', headers = {}, method = 'GET' }: GetOptions,
): Promise<Reply> {
  const agent = new Agent({
    connect: {
      ca,
      servername: HOST,
      ...(certificate && { cert: certificate.certificatePem + chain, key: certificate.privateKeyPem }),
    },
  });
  try {
    const response = await request(url, { method, headers, dispatcher: agent });
    const type = String(response.headers['content-type']);
    const text = await response.body.text();
    return { status: response.statusCode, type, body: type.includes('json') ? JSON.parse(text) : text };
  } finally {
    await agent.close();
  }
}
