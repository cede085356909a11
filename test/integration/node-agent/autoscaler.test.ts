import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { HorizontalPodAutoscaler } from '../../../hack/devcluster/kinds.ts';
import {
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  HORIZONTAL_POD_AUTOSCALERS,
  SERVICES,
} from '../../../operator/kube/resource-types.ts';
import { deploymentOf, TestCluster } from './support/test-cluster.ts';

const API_SERVICES = {
  group: 'apiregistration.k8s.io',
  version: 'v1',
  kind: 'APIService',
  plural: 'apiservices',
  namespaced: false,
};

let cluster: TestCluster;
let namespace: string;
/** What the stub of external.metrics.k8s.io answers for `inflight`; undefined: an error. */
let inflight: string | undefined = '0';
const asked: string[] = [];
const directory = mkdtempSync(join(tmpdir(), 'metrics-'));

const metricsServer = (() => {
  const key = join(directory, 'key.pem');
  const cert = join(directory, 'cert.pem');
  const options = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-subj',
    '/CN=metrics',
  ];
  execFileSync('openssl', ['req', '-x509', ...options, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
    const url = new URL(request.url ?? '', 'https://metrics');
    asked.push(`${url.pathname} ${url.searchParams.get('labelSelector')}`);
    response.setHeader('content-type', 'application/json');
    if (inflight === undefined) response.statusCode = 503;
    const item = {
      metricName: 'inflight',
      metricLabels: {},
      timestamp: new Date().toISOString(),
      value: inflight,
    };
    response.end(
      JSON.stringify({
        kind: 'ExternalMetricValueList',
        apiVersion: 'external.metrics.k8s.io/v1beta1',
        items: [item],
      }),
    );
  });
})();

beforeAll(async () => {
  cluster = await TestCluster.start({ autoscalerPeriodMs: 100 });
  namespace = await cluster.namespace('autoscaled');
  metricsServer.listen(0, '127.0.0.1');
  await once(metricsServer, 'listening');
  const { port } = metricsServer.address() as AddressInfo;
  await cluster.client.create(SERVICES, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name: 'metrics' },
    spec: { ports: [{ name: 'https', port: 443 }] },
  } as never);
  await cluster.client.create(ENDPOINT_SLICES, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace, name: 'metrics', labels: { 'kubernetes.io/service-name': 'metrics' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
    ports: [{ name: 'https', port }],
  } as never);
  await cluster.client.create(API_SERVICES, {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: 'v1beta1.external.metrics.k8s.io' },
    spec: {
      group: 'external.metrics.k8s.io',
      version: 'v1beta1',
      service: { namespace, name: 'metrics' },
      insecureSkipTLSVerify: true,
      groupPriorityMinimum: 100,
      versionPriority: 100,
    },
  } as never);
});

afterAll(async () => {
  metricsServer.close();
  await cluster.close();
  rmSync(directory, { recursive: true });
});

async function autoscale(name: string, replicas: number): Promise<void> {
  await cluster.client.create(DEPLOYMENTS, deploymentOf(namespace, name, replicas) as never);
  await cluster.until(DEPLOYMENTS, namespace, name, { status: { observedGeneration: 1 } });
  await cluster.client.create(HORIZONTAL_POD_AUTOSCALERS, {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { namespace, name },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      minReplicas: 1,
      maxReplicas: 3,
      behavior: { scaleDown: { stabilizationWindowSeconds: 1 } },
      metrics: [
        {
          type: 'External',
          external: {
            metric: { name: 'inflight', selector: { matchLabels: { model: name } } },
            target: { type: 'AverageValue', averageValue: '8' },
          },
        },
      ],
    },
  } as never);
}

function condition(type: string, status: string, reason: string) {
  return {
    status: { conditions: expect.arrayContaining([expect.objectContaining({ type, status, reason })]) },
  };
}

test('an autoscaler follows the metric up to its maximum and down again, and holds when the metric fails', async () => {
  await autoscale('busy', 1);
  await cluster.until(
    HORIZONTAL_POD_AUTOSCALERS,
    namespace,
    'busy',
    condition('ScalingActive', 'True', 'ValidMetricFound'),
  );
  expect(asked).toContain(
    `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/inflight model=busy`,
  );

  inflight = '20';
  await cluster.until(DEPLOYMENTS, namespace, 'busy', {
    spec: { replicas: 3 },
    status: { availableReplicas: 3 },
  });
  inflight = '100';
  await cluster.until(
    HORIZONTAL_POD_AUTOSCALERS,
    namespace,
    'busy',
    condition('ScalingLimited', 'True', 'TooManyReplicas'),
  );

  inflight = undefined;
  await cluster.until(
    HORIZONTAL_POD_AUTOSCALERS,
    namespace,
    'busy',
    condition('ScalingActive', 'False', 'FailedGetExternalMetric'),
  );
  const held = await cluster.get<HorizontalPodAutoscaler>(HORIZONTAL_POD_AUTOSCALERS, namespace, 'busy');
  expect(held?.status?.currentReplicas).toBe(3);

  inflight = '8';
  await cluster.until(DEPLOYMENTS, namespace, 'busy', { spec: { replicas: 1 }, status: { replicas: 1 } });
  await cluster.until(HORIZONTAL_POD_AUTOSCALERS, namespace, 'busy', {
    status: {
      currentReplicas: 1,
      desiredReplicas: 1,
      currentMetrics: [{ external: { current: { averageValue: '8' } } }],
    },
  });
});

test('an autoscaler leaves a target alone that has zero replicas', async () => {
  inflight = '50';
  await autoscale('asleep', 0);

  await cluster.until(
    HORIZONTAL_POD_AUTOSCALERS,
    namespace,
    'asleep',
    condition('ScalingActive', 'False', 'ScalingDisabled'),
  );
  expect(await cluster.get(DEPLOYMENTS, namespace, 'asleep')).toMatchObject({ spec: { replicas: 0 } });
});
