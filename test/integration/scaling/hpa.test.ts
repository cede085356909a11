/** An HPA as the operator renders it, on the metric that the operator serves, through the aggregator. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SharedStores } from '../../../hack/devcluster/controllers/shared-stores.ts';
import { startControllers } from '../../../hack/devcluster/controllers/start-controllers.ts';
import { type HpaCondition, resolveMode } from '../../../operator/controllers/scaling/mode.ts';
import { KubeClient } from '../../../operator/kube/client.ts';
import { EventRecorder } from '../../../operator/kube/events.ts';
import { loadConnection } from '../../../operator/kube/load-connection.ts';
import { silentLogger } from '../../../operator/kube/logger.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import {
  DEPLOYMENTS,
  HORIZONTAL_POD_AUTOSCALERS,
  NAMESPACES,
} from '../../../operator/kube/resource-types.ts';
import { Transport } from '../../../operator/kube/transport.ts';
import type { MetricSample } from '../../../operator/metrics-api/metric-values.ts';
import { createAuthority } from '../../../operator/pki/pki.ts';
import { renderHpa } from '../../../operator/render/hpa.ts';
import { engineName } from '../../../operator/render/names.ts';
import { resolved } from '../../unit/model/support/resolve.ts';
import { model, pool } from '../../unit/render/support/objects.ts';
import { backendAddress } from '../support/aggregation.ts';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { isAvailable, startMetricsLeader } from './support/metrics-leader.ts';

const { address, missing } = backendAddress();
const SYSTEM = 'hpa-test-system';

interface Hpa extends KubeObject {
  status?: { conditions?: HpaCondition[] };
}
interface Scale extends KubeObject {
  spec: { replicas?: number };
}

let api: TestApiServer;
let transport: Transport;
let client: KubeClient;
const end = new AbortController();
let controllers: Promise<void>;

beforeAll(async () => {
  if (missing !== undefined) return;
  api = await startTestApiServer();
  transport = new Transport({ connection: await loadConnection({ kubeconfig: api.kubeconfig }) });
  client = new KubeClient(transport);
  const stores = new SharedStores(client, silentLogger);
  await stores.start(end.signal);
  const events = new EventRecorder({ client, controller: 'test', instance: 'test', log: silentLogger });
  controllers = startControllers(
    { client, stores, events, log: silentLogger, now: () => new Date() },
    { autoscalerPeriodMs: 100, schedulerEvents: events },
    end.signal,
  );
});

afterAll(async () => {
  if (missing !== undefined) return;
  end.abort();
  await controllers;
  await transport.close();
  await api.close();
});

describe('an HPA of ours', () => {
  it('scales up and down by demand, holds on unknown demand, and leaves zero alone', async ({ skip }) => {
    skip(missing !== undefined, missing);
    const scaling = {
      minReplicas: 0,
      maxReplicas: 4,
      target: 10,
      behavior: { scaleUp: { tolerance: '0.05' }, scaleDown: { stabilizationWindowSeconds: 0 } },
    };
    const llama = model('hf://meta-llama/Llama-3.1-8B-Instruct', { scaling }, 'llama');
    const key = { namespace: 'team-a', name: engineName('llama') };
    for (const name of [SYSTEM, key.namespace])
      await client.apply(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    const samples: MetricSample[] = [{ model: 'llama', value: 5, known: true }];
    const authority = await createAuthority({ now: new Date() });
    const { metricsApi } = await startMetricsLeader({
      client,
      namespace: SYSTEM,
      address,
      authority,
      samples,
    });
    await expect.poll(() => isAvailable(metricsApi), { message: 'an available API' }).toBeTruthy();
    await client.create(DEPLOYMENTS, deployment(key));
    const ours = resolved(pool('A100'), llama);
    const hpa = renderHpa(ours, scaling);
    const { ownerReferences: _, ...metadata } = hpa.metadata;
    await client.apply(HORIZONTAL_POD_AUTOSCALERS, { ...hpa, metadata });
    const scale = () => client.get<Scale>(DEPLOYMENTS, key, { subresource: 'scale' });
    const replicas = async () => (await scale()).spec.replicas ?? 0;
    const active = async () =>
      (await client.get<Hpa>(HORIZONTAL_POD_AUTOSCALERS, key)).status?.conditions?.find(
        ({ type }) => type === 'ScalingActive',
      )?.reason;

    await expect.poll(async () => await active(), { message: 'a first value' }).toBe('ValidMetricFound');
    expect(await replicas()).toBe(1);
    samples[0] = { model: 'llama', value: 35, known: true };
    await expect.poll(async () => await replicas(), { message: 'four replicas' }).toBe(4);
    samples[0] = { model: 'llama', value: 0, known: false };
    await expect.poll(async () => await active(), { message: 'no value' }).toBe('FailedGetExternalMetric');
    expect(await replicas()).toBe(4);
    samples[0] = { model: 'llama', value: 3, known: true };
    await expect.poll(async () => await replicas(), { message: 'one replica' }).toBe(1);

    // Sleep: whoever waits now is the operator's to wake, not the HPA's.
    await client.patch(DEPLOYMENTS, key, { merge: { spec: { replicas: 0 } } }, { subresource: 'scale' });
    samples[0] = { model: 'llama', value: 50, known: true };
    await expect.poll(async () => await active(), { message: 'a pause' }).toBe('ScalingDisabled');
    expect(await replicas()).toBe(0);
    const live = await client.get<Hpa>(HORIZONTAL_POD_AUTOSCALERS, key);
    const decision = resolveMode({
      scaling: ours.scaling,
      metricsApi: metricsApi.state(),
      hpa: live.status?.conditions,
      now: Date.now(),
    });
    expect(decision).toMatchObject({ mode: 'HPA', condition: { status: 'True', reason: 'HPA' } });
    await client.patch(DEPLOYMENTS, key, { merge: { spec: { replicas: 1 } } }, { subresource: 'scale' });
    await expect.poll(async () => await replicas(), { message: 'four replicas after the wake' }).toBe(4);
  });
});

function deployment(key: { namespace: string; name: string }): KubeObject {
  const labels = { app: key.name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: key,
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'engine', image: 'engine' }] } },
    },
  } as KubeObject;
}
