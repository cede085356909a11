/** The external metrics API on an API server: registered, reached through the aggregator, handed over, left alone. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { kubectlPath } from '../../../hack/kubectl/kubectl.ts';
import { KubeClient } from '../../../operator/kube/client.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import { loadConnection } from '../../../operator/kube/load-connection.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import {
  API_SERVICES,
  CLUSTER_ROLES,
  ENDPOINT_SLICES,
  ENDPOINTS,
  NAMESPACES,
  SERVICES,
} from '../../../operator/kube/resource-types.ts';
import { Transport } from '../../../operator/kube/transport.ts';
import {
  API_SERVICE_NAME,
  type ApiService,
  desiredApiService,
} from '../../../operator/metrics-api/api-service.ts';
import type { ExternalMetricsApiOptions } from '../../../operator/metrics-api/external-metrics-api.ts';
import type { MetricSample } from '../../../operator/metrics-api/metric-values.ts';
import { type Authority, createAuthority, trustBundle } from '../../../operator/pki/pki.ts';
import { backendAddress } from '../support/aggregation.ts';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { isAvailable, startMetricsLeader } from './support/metrics-leader.ts';

const NAMESPACE = 'metrics-api-test';
const METRIC = '/apis/external.metrics.k8s.io/v1beta1/namespaces/team-a/vllm-operator-requests';

const { address, missing } = backendAddress();

let api: TestApiServer;
let transport: Transport;
let client: KubeClient;
let authority: Authority;

beforeAll(async () => {
  if (missing !== undefined) return;
  api = await startTestApiServer();
  transport = new Transport({ connection: await loadConnection({ kubeconfig: api.kubeconfig }) });
  client = new KubeClient(transport);
  authority = await createAuthority({ now: new Date() });
  await client.apply(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
});

afterAll(async () => {
  await transport?.close();
  await api?.close();
});

beforeEach(async ({ skip }) => {
  skip(missing !== undefined, missing);
  await client.delete(API_SERVICES, { name: API_SERVICE_NAME }).catch((error: unknown) => {
    if (!isKubeError(error, 'NotFound')) throw error;
  });
});

/** A leader whose every model has `value` requests; it ends with the test, or by what `stop` does. */
async function startLeader(value: number, more: Partial<ExternalMetricsApiOptions> = {}) {
  const samples: MetricSample[] = [{ model: 'llama', value, known: true }];
  return {
    samples,
    ...(await startMetricsLeader({ client, namespace: NAMESPACE, address, authority, samples, more })),
  };
}

async function values(): Promise<string[] | number> {
  try {
    const { text } = await client.raw({ path: METRIC, query: { labelSelector: 'model=llama' } });
    return (JSON.parse(text) as { items: { value: string }[] }).items.map(({ value }) => value);
  } catch (error) {
    if (isKubeError(error)) return error.status;
    throw error;
  }
}

describe('the external metrics API', () => {
  it('is reached through the API server, which finds it available', async () => {
    const { metricsApi, samples } = await startLeader(5);
    await expect.poll(() => isAvailable(metricsApi), { message: 'an available API' }).toBeTruthy();
    // The aggregator hears of it a little later than whoever reads the status.
    await expect.poll(async () => (await values()).toString(), { message: 'the value' }).toBe('5');
    samples[0] = { model: 'llama', value: 0, known: false };
    expect(await values()).toEqual([]);
    const { text } = await client.raw({ path: '/apis/external.metrics.k8s.io/v1beta1' });
    expect(JSON.parse(text)).toMatchObject({
      kind: 'APIResourceList',
      resources: [{ name: 'externalmetrics' }],
    });
  });

  it('hands over to the next leader, and writes nothing while nothing changes', async () => {
    const first = await startLeader(1);
    await expect.poll(() => isAvailable(first.metricsApi), { message: 'an available API' }).toBeTruthy();
    await first.stop();
    expect(await values()).toBe(503);
    const calls = { reads: 0, writes: 0 };
    const second = await startLeader(2, { client: countingClient(calls) });
    await expect
      .poll(async () => (await values()).toString(), { message: 'the value of the second leader' })
      .toBe('2');
    await expect.poll(() => isAvailable(second.metricsApi), { message: 'an available API' }).toBeTruthy();
    const { reads, writes } = calls;
    await expect.poll(() => calls.reads > reads + 8, { message: 'further checks' }).toBe(true);
    expect(calls.writes).toBe(writes);
  });

  it('leaves a foreign APIService alone, and registers once it is deleted', async () => {
    const foreign = desiredApiService({
      service: { namespace: 'keda', name: 'keda-metrics', port: 443 },
      trustBundle: trustBundle(authority),
    });
    await client.create(API_SERVICES, foreign);
    let changes = 0;
    const { metricsApi } = await startLeader(1, { onChange: () => changes++ });
    await expect.poll(() => metricsApi.state().owner, { message: 'a foreign API' }).toBe('foreign');
    expect(metricsApi.state()).toEqual({ owner: 'foreign', by: 'keda/keda-metrics' });
    expect(changes).toBe(1);
    expect((await live()).spec.service?.namespace).toBe('keda');
    await client.delete(API_SERVICES, { name: API_SERVICE_NAME });
    await expect.poll(() => isAvailable(metricsApi), { message: 'an available API' }).toBeTruthy();
    // Another adapter's installer takes it over again.
    await client.patch(
      API_SERVICES,
      { name: API_SERVICE_NAME },
      { merge: { spec: { service: foreign.spec.service } } },
    );
    await expect.poll(() => metricsApi.state().owner, { message: 'a foreign API' }).toBe('foreign');
    expect((await live()).spec.service?.namespace).toBe('keda');
  });

  it('corrects its own APIService', async () => {
    const { metricsApi } = await startLeader(1);
    await expect.poll(() => isAvailable(metricsApi), { message: 'an available API' }).toBeTruthy();
    const { caBundle } = (await live()).spec;
    await client.patch(API_SERVICES, { name: API_SERVICE_NAME }, { merge: { spec: { caBundle: 'b2xk' } } });
    await expect.poll(async () => (await live()).spec.caBundle, { message: 'the CA bundle' }).toBe(caBundle);
  });

  it('belongs, with its endpoint, to the ClusterRole that is uninstalled with the operator', async () => {
    const role: KubeObject = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: NAMESPACE },
    };
    const { metadata } = await client.apply(CLUSTER_ROLES, role);
    const { metricsApi } = await startLeader(1, { ownerClusterRole: NAMESPACE });
    await expect.poll(() => isAvailable(metricsApi), { message: 'an available API' }).toBeTruthy();
    const owners = [{ kind: 'ClusterRole', name: NAMESPACE, uid: metadata.uid }];
    const { name = '', namespace = '' } = (await live()).spec.service ?? {};
    const own = [SERVICES, ENDPOINTS].map((type) => client.get<KubeObject>(type, { namespace, name }));
    const slice = client.get<KubeObject>(ENDPOINT_SLICES, { namespace, name: `${name}-ipv4` });
    for (const object of await Promise.all([live(), ...own, slice]))
      expect(object.metadata.ownerReferences, object.kind).toMatchObject(owners);
  });

  it('says why it cannot serve', async () => {
    const { metricsApi } = await startLeader(1, {
      trustBundle: () => Promise.reject(new Error('the Secret is gone')),
    });
    await expect
      .poll(() => JSON.stringify(metricsApi.state()).includes('the Secret is gone'), {
        message: 'the reason',
      })
      .toBeTruthy();
    expect(metricsApi.state()).toMatchObject({ owner: 'unknown' });
  });

  it('is asked by kubectl, as whoever RBAC lets in', async () => {
    const { metricsApi } = await startLeader(7);
    await expect.poll(() => isAvailable(metricsApi), { message: 'an available API' }).toBeTruthy();
    const kubectl = async (user: string) => {
      const args = ['--kubeconfig', api.kubeconfig, '--as', user, 'get', '--raw', METRIC];
      return await promisify(execFile)(kubectlPath(), args).then(
        ({ stdout }) => stdout,
        ({ stderr }: { stderr: string }) => stderr,
      );
    };
    expect(await kubectl('jane')).toContain(
      'vllm-operator-requests.external.metrics.k8s.io is forbidden: User "jane" cannot list resource',
    );
    const metadata = { name: `${NAMESPACE}-reader` };
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    await client.apply(CLUSTER_ROLES, {
      apiVersion,
      kind: 'ClusterRole',
      metadata,
      rules: [{ apiGroups: ['external.metrics.k8s.io'], resources: ['*'], verbs: ['list'] }],
    } as KubeObject);
    await client.apply({ ...CLUSTER_ROLES, kind: 'ClusterRoleBinding', plural: 'clusterrolebindings' }, {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: metadata.name },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'jane' }],
    } as KubeObject);
    await expect
      .poll(async () => (await kubectl('jane')).includes('"value":"7"'), { message: 'an answer for jane' })
      .toBeTruthy();
    expect(await kubectl('joe')).toContain('forbidden');
  });
});

async function live(): Promise<ApiService> {
  return await client.get<ApiService>(API_SERVICES, { name: API_SERVICE_NAME });
}

/** The client, with a count of what it is asked for. */
function countingClient(calls: { reads: number; writes: number }): ExternalMetricsApiOptions['client'] {
  const count = <A extends unknown[], R>(kind: keyof typeof calls, call: (...args: A) => R) => {
    return (...args: A): R => {
      calls[kind] += 1;
      return call(...args);
    };
  };
  return {
    get: count('reads', client.get.bind(client)) as KubeClient['get'],
    apply: count('writes', client.apply.bind(client)) as KubeClient['apply'],
    create: count('writes', client.create.bind(client)) as KubeClient['create'],
    patch: count('writes', client.patch.bind(client)) as KubeClient['patch'],
  };
}
