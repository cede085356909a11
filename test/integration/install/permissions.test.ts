/** The operator with the permissions of manifests/install.yaml and no others. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INFERENCE_MODELS, INFERENCE_POOLS, type InferenceModel } from '../../../operator/api/types.ts';
import type { Deployment } from '../../../operator/controllers/shared/workloads.ts';
import { KubeClient } from '../../../operator/kube/client.ts';
import { findCondition } from '../../../operator/kube/conditions.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import { loadConnection } from '../../../operator/kube/load-connection.ts';
import type { KubeObject, ResourceType } from '../../../operator/kube/object.ts';
import {
  DEPLOYMENTS,
  HORIZONTAL_POD_AUTOSCALERS,
  INGRESSES,
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PODS,
  SECRETS,
  SERVICE_ACCOUNTS,
} from '../../../operator/kube/resource-types.ts';
import { Transport } from '../../../operator/kube/transport.ts';
import { EVACUATING_LABEL, engineLabels } from '../../../operator/render/labels.ts';
import { REQUESTS_METRIC } from '../../../operator/vllm/requests-metric.ts';
import { backendAddress } from '../support/aggregation.ts';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { install, ROLE_BINDINGS, uninstall } from '../support/install.ts';

const root = join(import.meta.dirname, '../../..');
const id = randomUUID().slice(0, 8);
const operatorNamespace = `vllm-operator-${id}`;
const poolNamespace = `platform-${id}`;
const teamNamespace = `team-${id}`;
const probes = `127.${randomInt(1, 255)}.${randomInt(1, 255)}.${randomInt(1, 255)}`;
const { address } = backendAddress();
const directory = mkdtempSync(join(tmpdir(), 'vllm-operator-permissions-'));

let server: TestApiServer;
let admin: KubeClient;
/** Speaks as the operator's service account. */
let account: KubeClient;
let operator: ChildProcess;
const transports: Transport[] = [];

async function clientOf(kubeconfig: string): Promise<KubeClient> {
  const transport = new Transport({ connection: await loadConnection({ kubeconfig }) });
  transports.push(transport);
  return new KubeClient(transport, { fieldManager: 'test' });
}

/** A kubeconfig with a token of the operator's service account, as a pod would get one. */
async function accountKubeconfig(): Promise<string> {
  const request = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: { name: 'vllm-operator', namespace: operatorNamespace },
    spec: { expirationSeconds: 3600 },
  };
  const answer = await admin.create(SERVICE_ACCOUNTS, request as KubeObject, { subresource: 'token' });
  const { token } = (answer as KubeObject & { status: { token: string } }).status;
  const path = join(directory, 'kubeconfig');
  writeFileSync(path, await server.tokenKubeconfig(token), { mode: 0o600 });
  return path;
}

beforeAll(async () => {
  server = await startTestApiServer();
  admin = await clientOf(server.kubeconfig);
  await install(admin, { namespace: operatorNamespace, without: ['Deployment', 'PodDisruptionBudget'] });
  for (const name of [poolNamespace, teamNamespace]) {
    await admin.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  const kubeconfig = await accountKubeconfig();
  account = await clientOf(kubeconfig);
  const args = ['run', '--kubeconfig', kubeconfig, '--namespace', operatorNamespace, '--probe-host', probes];
  const metricsApi =
    address === undefined ? [] : ['--metrics-api-address', address, '--metrics-api-port', '0'];
  operator = spawn(
    process.execPath,
    [join(root, 'operator/main.ts'), ...args, ...metricsApi, '--log-level', 'warn'],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
});

afterAll(async () => {
  if (operator?.exitCode === null) {
    operator.kill('SIGTERM');
    await once(operator, 'exit');
  }
  if (server?.shared) {
    for (const name of [poolNamespace, teamNamespace]) await admin.delete(NAMESPACES, { name });
    await uninstall(admin, { namespace: operatorNamespace });
  }
  await Promise.all(transports.map((transport) => transport.close()));
  await server?.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Requests of the operator to the API server so far, by status code. */
async function requestsByCode(): Promise<Map<string, number>> {
  const text = await (await fetch(`http://${probes}:8080/metrics`)).text();
  const counts = new Map<string, number>();
  for (const [, code = '', value] of text.matchAll(
    /^rest_client_requests_total\{code="([^"]*)".*\} (\S+)$/gm,
  )) {
    counts.set(code, (counts.get(code) ?? 0) + Number(value));
  }
  return counts;
}

async function exists(type: ResourceType, namespace: string, name: string): Promise<boolean> {
  try {
    await admin.get(type, { namespace, name });
    return true;
  } catch (error) {
    if (isKubeError(error, 'NotFound')) return false;
    throw error;
  }
}

function custom(kind: string, namespace: string, name: string, spec: object): KubeObject {
  return {
    apiVersion: 'vllm-operator.dev/v1alpha1',
    kind,
    metadata: { name, namespace },
    spec,
  } as KubeObject;
}

/** An engine on a node that is about to go: released, and deleted when it has ended. There is no kubelet, so we play it. */
async function leaveSpotNode(): Promise<void> {
  const [key, former] = [`engine-${id}`, `former-${id}`].map((name) => ({ namespace: teamNamespace, name }));
  if (!key || !former) throw new Error('no keys');
  const labels = engineLabels({ name: 'chat' }, { name: 'pool', namespace: poolNamespace });
  const status = (pod: typeof key, phase: string, ready: string) =>
    admin.patch(
      PODS,
      pod,
      { merge: { status: { phase, conditions: [{ type: 'Ready', status: ready }] } } },
      { subresource: 'status' },
    );
  const engine = (pod: typeof key, more: Record<string, string>) =>
    admin.create(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...pod, labels: { ...labels, ...more } },
      spec: {
        nodeName: `spot-${id}`,
        serviceAccountName: 'vllm-chat',
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'engine', image: 'vllm/vllm-openai:v0.28.0' }],
      },
    } as KubeObject);
  const untilGone = (pod: typeof key) =>
    expect
      .poll(async () => !(await exists(PODS, pod.namespace, pod.name)), { message: 'the engine is gone' })
      .toBe(true);
  await admin.create(NODES, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: `spot-${id}` },
  });
  await engine(key, { 'pod-template-hash': 'abc' });
  await status(key, 'Running', 'True');
  // The operator deletes an engine at once that it has not seen ready, and watches nodes apart from pods. When it has deleted this one,
  // which was released before and has ended, it has seen all that pods were before.
  await engine(former, { [EVACUATING_LABEL]: 'true' });
  await status(former, 'Failed', 'False');
  await untilGone(former);
  const taints = [{ key: 'aws-node-termination-handler/spot-itn', effect: 'NoSchedule' }];
  await admin.patch(NODES, { name: `spot-${id}` }, { merge: { spec: { taints } } });
  await expect
    .poll(
      async () => {
        const { labels: found, ownerReferences } = (await admin.get(PODS, key)).metadata;
        return found?.[EVACUATING_LABEL] === 'true' && ownerReferences?.[0]?.name === 'vllm-chat';
      },
      { message: 'the engine is released' },
    )
    .toBeTruthy();
  await status(key, 'Failed', 'False');
  await untilGone(key);
  await admin.delete(NODES, { name: `spot-${id}` });
}

/** Autoscaling by an HPA that reads the operator's metric through the API server. */
async function scaleByHpa(): Promise<void> {
  await admin.create(
    INFERENCE_MODELS,
    custom('InferenceModel', teamNamespace, 'elastic', {
      poolRef: { name: 'pool', namespace: poolNamespace },
      model: { source: 'hf://mistralai/Mistral-7B-Instruct-v0.3' },
      scaling: { minReplicas: 1, maxReplicas: 3, mode: 'HPA' },
    }),
  );
  await expect
    .poll(() => exists(HORIZONTAL_POD_AUTOSCALERS, teamNamespace, 'vllm-elastic'), {
      message: 'there is an HPA',
    })
    .toBeTruthy();
  const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${teamNamespace}/${REQUESTS_METRIC}`;
  await expect
    .poll(async () => (await admin.raw({ path })).status, { message: 'the metrics API answers' })
    .toBe(200);
  await admin.delete(INFERENCE_MODELS, { namespace: teamNamespace, name: 'elastic' });
}

it('are enough for the life of a pool and a model', async () => {
  await expect
    .poll(async () => (await fetch(`http://${probes}:8080/readyz`)).ok, { message: 'the operator is ready' })
    .toBeTruthy();
  await admin.create(
    INFERENCE_POOLS,
    custom('InferencePool', poolNamespace, 'pool', {
      accelerator: { type: 'A100', spot: true },
      allowedNamespaces: { from: 'All' },
      router: { ingress: { host: 'models.example.com' } },
    }),
  );
  await admin.create(
    INFERENCE_MODELS,
    custom('InferenceModel', teamNamespace, 'chat', {
      poolRef: { name: 'pool', namespace: poolNamespace },
      model: {
        source: 'hf://mistralai/Mistral-7B-Instruct-v0.3',
        cache: { pvc: { size: '20Gi', accessModes: ['ReadWriteMany'] } },
      },
      scaling: { replicas: 1 },
    }),
  );
  await expect
    .poll(() => exists(INGRESSES, poolNamespace, 'pool-router'), { message: 'the pool has its children' })
    .toBeTruthy();
  await expect
    .poll(() => exists(DEPLOYMENTS, teamNamespace, 'vllm-chat'), { message: 'the model has its children' })
    .toBeTruthy();
  await expect
    .poll(
      async () => {
        const model = await admin.get<InferenceModel>(INFERENCE_MODELS, {
          namespace: teamNamespace,
          name: 'chat',
        });
        return findCondition(model.status?.conditions, 'Accepted')?.status === 'True';
      },
      { message: 'the model is accepted' },
    )
    .toBeTruthy();

  await admin.patch(
    INFERENCE_MODELS,
    { namespace: teamNamespace, name: 'chat' },
    { merge: { spec: { scaling: { replicas: 2 }, model: { cache: null }, engine: { maxModelLen: 8192 } } } },
  );
  await expect
    .poll(
      async () => {
        const key = { namespace: teamNamespace, name: 'vllm-chat' };
        return (await admin.get<Deployment>(DEPLOYMENTS, key)).spec.replicas === 2;
      },
      { message: 'the model is scaled' },
    )
    .toBeTruthy();
  await expect
    .poll(
      async () => {
        // No controller of volumes runs here that would take the claim's own finalizer away.
        const key = { namespace: teamNamespace, name: 'vllm-chat-cache' };
        return (
          !(await exists(PERSISTENT_VOLUME_CLAIMS, key.namespace, key.name)) ||
          (await admin.get(PERSISTENT_VOLUME_CLAIMS, key)).metadata.deletionTimestamp !== undefined
        );
      },
      { message: 'its claim is pruned' },
    )
    .toBeTruthy();

  if (address !== undefined) await scaleByHpa();
  // A node without a kubelet is nothing for a cluster that others use.
  if (!server.shared) await leaveSpotNode();

  await admin.delete(INFERENCE_MODELS, { namespace: teamNamespace, name: 'chat' });
  await admin.delete(INFERENCE_POOLS, { namespace: poolNamespace, name: 'pool' });
  await expect
    .poll(async () => !(await exists(INFERENCE_POOLS, poolNamespace, 'pool')), {
      message: 'the pool is let go',
    })
    .toBe(true);

  const requests = await requestsByCode();
  expect(requests.get('200')).toBeGreaterThan(0);
  expect(requests.get('201')).toBeGreaterThan(0);
  expect(requests.get('403') ?? 0).toBe(0);
});

describe('do not reach', () => {
  it.each([
    ['Secrets of teams', () => account.list(SECRETS, { namespace: teamNamespace })],
    [
      'Secrets of the operator\u2019s namespace as a list',
      () => account.list(SECRETS, { namespace: operatorNamespace }),
    ],
    ['other Secrets there', () => account.get(SECRETS, { namespace: operatorNamespace, name: 'other' })],
    ['changes of nodes', () => account.patch(NODES, { name: 'x' }, { merge: { spec: { taints: null } } })],
    [
      'pods that no workload makes',
      () =>
        account.create(PODS, {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { namespace: teamNamespace, name: 'x' },
        }),
    ],
    [
      'specs of models',
      () => account.patch(INFERENCE_MODELS, { namespace: teamNamespace, name: 'x' }, { merge: { spec: {} } }),
    ],
  ])('%s', async (_what, request) => {
    await expect(request()).rejects.toMatchObject({ code: 'Forbidden' });
  });
});

describe('that a team gets with the role of editors', () => {
  const group = `team-${id}`;

  async function mayCreate(resource: string): Promise<boolean> {
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        user: 'someone',
        groups: [group],
        resourceAttributes: {
          namespace: teamNamespace,
          verb: 'create',
          group: 'vllm-operator.dev',
          resource,
        },
      },
    };
    const { text } = await admin.raw({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(review),
    });
    return (JSON.parse(text) as { status: { allowed: boolean } }).status.allowed;
  }

  it('cover models and not pools', async () => {
    await admin.create(ROLE_BINDINGS, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'editors', namespace: teamNamespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'vllm-operator-edit' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: group }],
    } as KubeObject);
    await expect.poll(() => mayCreate('inferencemodels'), { message: 'the binding holds' }).toBeTruthy();
    expect(await mayCreate('inferencepools')).toBe(false);
  });
});
