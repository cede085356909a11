/** An HPA that reads what the operator serves, and what happens when somebody else serves the metrics API. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { INFERENCE_MODELS, type InferenceModel } from '../../operator/api/types.ts';
import type { Autoscaler } from '../../operator/controllers/shared/workloads.ts';
import { findCondition } from '../../operator/kube/conditions.ts';
import type { KubeObject } from '../../operator/kube/object.ts';
import { API_SERVICES, HORIZONTAL_POD_AUTOSCALERS } from '../../operator/kube/resource-types.ts';
import { API_SERVICE_NAME } from '../../operator/metrics-api/api-service.ts';
import { REQUESTS_METRIC } from '../../operator/vllm/requests-metric.ts';
import { control } from './support/engines.ts';
import { Traffic } from './support/traffic.ts';
import { World } from './support/world.ts';

const scaling = {
  minReplicas: 1,
  maxReplicas: 3,
  target: 2,
  behavior: { scaleDown: { stabilizationWindowSeconds: 0 } },
};

let world: World;
let namespace: string;

beforeAll(async () => {
  world = await World.start({
    autoscalerPeriodMs: 250,
    operatorArgs: ['--metrics-api-address', '127.0.0.1', '--metrics-api-port', '0'],
  });
  namespace = await world.namespace();
  await world.createPool(namespace, { router: { replicas: 1 } });
  // Engines are slower than any client, so that requests are at an engine and not on their way, however busy this machine is.
  const env = [{ name: 'VLLM_SIM_SLOW_FACTOR', value: '100' }];
  await world.createModel(namespace, 'chat', { scaling, engine: { env } });
});
afterAll(() => world?.close());

async function scalingReady(reason: string): Promise<string> {
  const model = await world.until<InferenceModel>(
    INFERENCE_MODELS,
    namespace,
    'chat',
    `is scaled by ${reason}`,
    ({ status }) => findCondition(status?.conditions, 'ScalingReady')?.reason === reason,
  );
  return findCondition(model.status?.conditions, 'ScalingReady')?.message ?? '';
}

async function readyReplicas(wanted: number): Promise<void> {
  await world.until<InferenceModel>(
    INFERENCE_MODELS,
    namespace,
    'chat',
    `has ${wanted} replicas ready`,
    ({ status }) => status?.readyReplicas === wanted && status.replicas === wanted,
  );
}

it('scales from one to three and back, by what the routers see', async () => {
  expect(await scalingReady('HPA')).toBe('a HorizontalPodAutoscaler scales');
  await world.modelReady(namespace, 'chat');
  const traffic = new Traffic(await world.openai(namespace), 'chat', {
    askers: 0,
    streamers: 8,
    tokens: 200,
  });
  await readyReplicas(3);
  const described = await world.kubectl('describe', 'hpa', '-n', namespace, 'vllm-chat');
  expect(described).toMatch(/"vllm-operator-requests" \(target average value\):\s+\S+ \/ 2/);
  expect(described).toMatch(/ScalingActive\s+True\s+ValidMetricFound/);
  expect(described).toMatch(/Min replicas:\s+1/);
  expect(described).toMatch(/SuccessfulRescale/);
  for (const pod of await world.pods(namespace, 'engine')) await control(pod, { slowFactor: 1 });
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
  await readyReplicas(1);
});

it('leaves the HPA to the next leader as it is', async () => {
  const key = { namespace, name: 'vllm-chat' };
  const before = await world.client.get<Autoscaler>(HORIZONTAL_POD_AUTOSCALERS, key);
  const [leader] = world.operators;
  await leader?.stop();
  await world.startOperator().untilLeads();
  const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/${REQUESTS_METRIC}`;
  await expect
    .poll(async () => (await world.client.raw({ path })).status, {
      message: 'the next leader serves the metric',
    })
    .toBe(200);
  expect(await scalingReady('HPA')).toBe('a HorizontalPodAutoscaler scales');
  const after = await world.client.get<Autoscaler>(HORIZONTAL_POD_AUTOSCALERS, key);
  expect(after.metadata.uid).toBe(before.metadata.uid);
});

it('falls back to the own loop when another adapter has the metrics API, leaves that alone and says so', async () => {
  const [before] = world.operators;
  await before?.stop();
  await world.client.delete(API_SERVICES, { name: API_SERVICE_NAME });
  const foreign = (await world.client.create(API_SERVICES, {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: API_SERVICE_NAME },
    spec: {
      group: 'external.metrics.k8s.io',
      version: 'v1beta1',
      service: { namespace: 'keda', name: 'keda-metrics-apiserver', port: 443 },
      insecureSkipTLSVerify: true,
      groupPriorityMinimum: 100,
      versionPriority: 100,
    },
  } as KubeObject)) as KubeObject & { spec: unknown };
  await world.startOperator().untilLeads();

  expect(await scalingReady('Internal')).toContain(
    'external.metrics.k8s.io is served by keda/keda-metrics-apiserver',
  );
  await expect
    .poll(
      async () => {
        const { items } = await world.client.list<Autoscaler>(HORIZONTAL_POD_AUTOSCALERS, { namespace });
        return items.length === 0;
      },
      { message: 'no HPA of ours is left' },
    )
    .toBeTruthy();
  const traffic = new Traffic(await world.openai(namespace), 'chat', {
    askers: 0,
    streamers: 8,
    tokens: 200,
  });
  await readyReplicas(3);
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
  const live = await world.client.get<typeof foreign>(API_SERVICES, { name: API_SERVICE_NAME });
  expect(live.metadata.uid).toBe(foreign.metadata.uid);
  expect(live.spec).toEqual(foreign.spec);
});

it('says to who asks for an HPA by name that nobody answers it', async () => {
  await world.patchModel(namespace, 'chat', { scaling: { mode: 'HPA' } });
  expect(await scalingReady('HPAMetricsUnavailable')).toContain('set spec.scaling.mode to Auto or Internal');
});
