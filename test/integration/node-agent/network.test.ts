import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { EndpointSlice, Pod, Service } from '../../../hack/devcluster/kinds.ts';
import { DEPLOYMENTS, ENDPOINT_SLICES, PODS, SERVICES } from '../../../operator/kube/resource-types.ts';
import { call, deploymentOf, server, TestCluster } from './support/test-cluster.ts';

let cluster: TestCluster;
let namespace: string;

beforeAll(async () => {
  cluster = await TestCluster.start();
  namespace = await cluster.namespace('network');
});
afterAll(() => cluster.close());

async function createService(name: string, spec: object = {}): Promise<Service> {
  const ports = [{ name: 'http', port: 80, targetPort: 'http' }];
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name },
    spec: { selector: { app: name }, ports, ...spec },
  };
  return cluster.client.create<Service>(SERVICES, service as Service);
}

/** The endpoints of a service as [pod, ready, serving, terminating]. */
async function endpoints(service: string) {
  const labelSelector = `kubernetes.io/service-name=${service}`;
  const slices = await cluster.client.list<EndpointSlice>(ENDPOINT_SLICES, { namespace, labelSelector });
  return slices.items.flatMap((slice) =>
    (slice.endpoints ?? []).map(({ targetRef, conditions = {} }) => {
      return [targetRef?.name, conditions.ready, conditions.serving, conditions.terminating];
    }),
  );
}

test('endpoints are ready with their pod, and serve on while it terminates', async () => {
  await createService('slow');
  const readinessProbe = {
    httpGet: { path: '/healthz', port: 'http' },
    periodSeconds: 1,
    failureThreshold: 1,
  };
  const env = [{ name: 'STOP_AFTER_MS', value: '1500' }];
  await cluster.createPod(
    namespace,
    'slow',
    { containers: [server({ readinessProbe, env })] },
    { app: 'slow' },
  );
  const pod = await cluster.ready(namespace, 'slow');
  await expect.poll(() => endpoints('slow')).toEqual([['slow', true, true, false]]);

  await call(pod, '/fail', 'POST');
  await expect.poll(() => endpoints('slow')).toEqual([['slow', false, false, false]]);
  await call(pod, '/recover', 'POST');
  await expect.poll(() => endpoints('slow')).toEqual([['slow', true, true, false]]);

  await cluster.client.delete(PODS, { namespace, name: 'slow' });
  await expect.poll(() => endpoints('slow')).toEqual([['slow', false, true, true]]);
  await call(pod, '/fail', 'POST');
  await expect.poll(() => endpoints('slow')).toEqual([['slow', false, false, true]]);
  await expect.poll(() => endpoints('slow')).toEqual([]);
});

test('a slice names its ports, its service and its pods', async () => {
  await createService('named');
  await cluster.createPod(namespace, 'named', { containers: [server()] }, { app: 'named' });
  const pod = await cluster.ready(namespace, 'named');
  await expect.poll(() => endpoints('named')).toHaveLength(1);

  const labelSelector = 'kubernetes.io/service-name=named';
  const [slice] = (await cluster.client.list<EndpointSlice>(ENDPOINT_SLICES, { namespace, labelSelector }))
    .items;

  expect(slice).toMatchObject({
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8000, protocol: 'TCP' }],
    endpoints: [
      { addresses: [pod.status?.podIP], targetRef: { kind: 'Pod', name: 'named', uid: pod.metadata.uid } },
    ],
    metadata: { ownerReferences: [{ kind: 'Service', name: 'named', controller: true }] },
  });
});

test('a ClusterIP reaches all ready pods, refuses without any, and survives a rollout without a failed request', async () => {
  const service = await createService('web');
  const url = `http://${service.spec.clusterIP}`;
  await expect(fetch(url)).rejects.toThrow('fetch failed');
  const readinessProbe = { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 1 };
  const lifecycle = { preStop: { sleep: { seconds: 10 } } };
  await cluster.client.create(
    DEPLOYMENTS,
    deploymentOf(namespace, 'web', 2, { containers: [server({ readinessProbe, lifecycle })] }) as never,
  );
  await cluster.until(DEPLOYMENTS, namespace, 'web', { status: { availableReplicas: 2 } });
  const ask = async (): Promise<string> => (await fetch(url, { headers: { connection: 'close' } })).text();
  const names = new Set<string>();
  await expect.poll(async () => names.add(await ask()).size).toBe(2);

  const asking = new AbortController();
  const failures: unknown[] = [];
  const asked = (async () => {
    while (!asking.signal.aborted) await ask().catch((error: unknown) => failures.push(error));
  })();
  onTestFinished(() => {
    asking.abort();
    return asked;
  });
  const containers = [server({ readinessProbe, lifecycle, env: [{ name: 'V', value: '2' }] })];
  await cluster.client.patch(
    DEPLOYMENTS,
    { namespace, name: 'web' },
    { merge: { spec: { template: { spec: { containers } } } } },
  );
  await cluster.until(DEPLOYMENTS, namespace, 'web', {
    status: { observedGeneration: 2, updatedReplicas: 2, replicas: 2, availableReplicas: 2 },
  });
  await expect
    .poll(
      async () =>
        (await cluster.client.list<Pod>(PODS, { namespace, labelSelector: 'app=web' })).items.length,
    )
    .toBe(2);
  asking.abort();
  await asked;

  expect(failures).toEqual([]);
  expect([...names]).not.toContain(await ask());
});

test('a LoadBalancer has its ClusterIP as outside address', async () => {
  const service = await createService('balanced', { type: 'LoadBalancer' });

  await cluster.until(SERVICES, namespace, 'balanced', {
    status: { loadBalancer: { ingress: [{ ip: service.spec.clusterIP }] } },
  });
});
