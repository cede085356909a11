/** Who is taken for a router: nobody by a label alone. There is no kubelet, so the test plays the pods. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INFERENCE_MODELS, type InferenceModel } from '../../../operator/api/types.ts';
import type { Deployment, Pod } from '../../../operator/controllers/shared/workloads.ts';
import { findCondition } from '../../../operator/kube/conditions.ts';
import type { KubeObject, OwnerReference } from '../../../operator/kube/object.ts';
import { controllerReference } from '../../../operator/kube/owner-reference.ts';
import { DEPLOYMENTS, PODS, REPLICA_SETS } from '../../../operator/kube/resource-types.ts';
import { createCa } from '../../../operator/pki/certificates.ts';
import { poolLabels } from '../../../operator/render/labels.ts';
import type { DemandReport } from '../../../operator/router/protocol.ts';
import { whichApiServer } from '../support/which-api-server.ts';
import { Harness, type RunningOperator } from './support/harness.ts';

let harness: Harness;
let operator: RunningOperator;
const servers: Server[] = [];

beforeAll(async () => {
  harness = await Harness.start();
  operator = await harness.startOperator();
});
afterAll(async () => {
  await harness.close();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** An admin server on an address of its own that admits everybody, and what it was asked. */
async function startServer(): Promise<{ podIP: string; requests: string[]; models: DemandReport['models'] }> {
  const podIP = `127.${randomInt(1, 255)}.${randomInt(1, 255)}.${randomInt(1, 255)}`;
  const { certificatePem: cert, privateKeyPem: key } = await createCa('router', 3_600_000, {
    now: new Date(),
  });
  const requests: string[] = [];
  const models: DemandReport['models'] = {};
  const server = createServer({ cert, key }, (request, response) => {
    requests.push(`${request.method} ${request.url?.split('?')[0]}`);
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      const { version = 0 } = JSON.parse(text || '{}') as { version?: number };
      response.end(JSON.stringify({ version, seq: 0, models }));
    });
  });
  servers.push(server);
  server.listen(8081, podIP);
  await once(server, 'listening');
  return { podIP, requests, models };
}

/** A running pod with the labels of a router of the pool. */
async function startPod(
  namespace: string,
  pool: { namespace: string; name: string },
  podIP: string,
  ownerReferences: OwnerReference[] = [],
): Promise<void> {
  const name = `router-${randomInt(1e9)}`;
  await harness.client.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: poolLabels('router', pool), ownerReferences },
    spec: { containers: [{ name: 'nginx', image: 'nginx' }], automountServiceAccountToken: false },
  } as unknown as Pod);
  const status = { phase: 'Running', podIP, podIPs: [{ ip: podIP }] };
  await harness.client.patch(PODS, { namespace, name }, { merge: { status } }, { subresource: 'status' });
}

/** A ReplicaSet of the pool's own Deployment, as the Deployment controller makes it. */
async function replicaSetOf(
  deployment: KubeObject,
  pool: { namespace: string; name: string },
): Promise<KubeObject> {
  const labels = poolLabels('router', pool);
  const template = { metadata: { labels }, spec: { containers: [{ name: 'nginx', image: 'nginx' }] } };
  return await harness.client.create(REPLICA_SETS, {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${deployment.metadata.name}-1`,
      namespace: pool.namespace,
      labels,
      ownerReferences: [controllerReference(deployment)],
    },
    spec: { replicas: 1, selector: { matchLabels: labels }, template },
  } as KubeObject);
}

describe.skipIf(whichApiServer() === 'existing')('a pod with the labels of a router', () => {
  it('gets no routes unless it belongs to the Deployment of the pool', async () => {
    const [platform, team] = [await harness.namespace(), await harness.namespace()];
    const pool = { namespace: platform, name: 'pool' };
    await harness.createPool(platform);
    const deployment = await harness.until(DEPLOYMENTS, platform, 'pool-router', 'exists', () => true);
    const [elsewhere, unowned, real] = [await startServer(), await startServer(), await startServer()];
    await startPod(team, pool, elsewhere.podIP);
    await startPod(platform, pool, unowned.podIP);
    const set = await replicaSetOf(deployment, pool);
    await startPod(platform, pool, real.podIP, [controllerReference(set)]);
    await expect
      .poll(async () => ['PUT /routes', 'GET /demand'].every((request) => real.requests.includes(request)), {
        message: 'the real one has its table and is asked',
      })
      .toBeTruthy();
    expect({ elsewhere: elsewhere.requests, unowned: unowned.requests }).toEqual({
      elsewhere: [],
      unowned: [],
    });
  });

  it('has the status of a model show the active tier of degradation, and writes nothing while that stays', async () => {
    const namespace = await harness.namespace();
    const degradation = [
      { queueAbove: 0, maxTokens: 64 },
      { queueAbove: 8, maxTokens: 32 },
    ];
    await harness.createPool(namespace, { admission: { degradation } });
    const model = await harness.createModel(namespace, 'chat');
    const deployment = await harness.until<Deployment>(
      DEPLOYMENTS,
      namespace,
      'pool-router',
      'exists',
      () => true,
    );
    const [router, set] = [await startServer(), await replicaSetOf(deployment, { namespace, name: 'pool' })];
    await startPod(namespace, { namespace, name: 'pool' }, router.podIP, [controllerReference(set)]);
    const { generation: observedGeneration } = deployment.metadata;
    const ready = { replicas: 1, readyReplicas: 1, availableReplicas: 1, updatedReplicas: 1 };
    await harness.client.patch(
      DEPLOYMENTS,
      { namespace, name: 'pool-router' },
      { merge: { status: { observedGeneration, ...ready } } },
      { subresource: 'status' },
    );
    const shown = async (tier: number | undefined) =>
      await harness.until<InferenceModel>(
        INFERENCE_MODELS,
        namespace,
        'chat',
        `shows tier ${tier}`,
        ({ status }) => status?.url !== undefined && status.degradationTier === tier,
      );
    await shown(undefined);
    const report = { inFlight: 1, held: 0, queued: 1, ageMs: 0 };
    router.models[model.metadata.uid ?? ''] = { ...report, tier: 1 };
    const { status } = await shown(1);
    expect(findCondition(status?.conditions, 'Available')?.message).toContain(
      '; degradation tier 1 of 2 is active at a router: responses have at most 64 tokens',
    );
    const writes = await harness.settled(operator);
    const asked = router.requests.length;
    await expect.poll(() => router.requests.length).toBeGreaterThan(asked + 1);
    expect(await operator.writes()).toBe(writes);
  });
});
