/** The life of a release of the chart, with the real Helm and all examples: operators and models run as pods all the way. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { DEFAULT_NODES, gpuNode } from '../../hack/devcluster/node/node-spec.ts';
import { helm } from '../../hack/kubectl/helm.ts';
import { kubectl, tryKubectl } from '../../hack/kubectl/kubectl.ts';
import type { Deployment, Pod } from '../../operator/controllers/shared/workloads.ts';
import type { KubeObject } from '../../operator/kube/object.ts';
import { DEPLOYMENTS, NAMESPACES, PODS, SERVICE_ACCOUNTS } from '../../operator/kube/resource-types.ts';
import { CHART } from '../integration/chart/support/chart.ts';
import { NEW_FIELD, previousChart } from '../integration/chart/support/previous-chart.ts';
import { ROLE_BINDINGS } from '../integration/support/install.ts';
import { eventually } from '../support/eventually.ts';
import { administratorsExamples, editorsExamples } from '../support/examples.ts';
import { ACCOUNT_ENV, operatorImage } from './support/operator-image.ts';
import { ask } from './support/traffic.ts';
import { World } from './support/world.ts';

const NAMESPACE = 'vllm-operator-system';
const TEAM = 'team-a';
const MODEL = 'qwen-0-5b';
const MODELS = editorsExamples();
/** Namespaces with examples of models. */
const TEAMS = [...new Set(MODELS.map(({ metadata }) => metadata.namespace ?? ''))];
const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' };

const VALUES = {
  global: { imageRegistry: 'registry.example.com/mirror', imagePullSecrets: [{ name: 'registry' }] },
  extraEnv: [ACCOUNT_ENV],
  // Pods of devcluster share the ports of this machine, and not its addresses.
  extraArgs: ['--probe-host=$(POD_IP)'],
};

let world: World;
let directory: string;
let previous: string;

async function inCluster(command: string, ...args: string[]): Promise<string> {
  return await helm([command, 'vllm-operator', ...args, '--namespace', NAMESPACE], {
    kubeconfig: world.cluster.kubeconfigPath,
  });
}

/** Waits as users do, until the pods of the new version are ready. */
async function apply(command: 'install' | 'upgrade', chart: string): Promise<void> {
  await inCluster(command, chart, '--values', join(directory, 'values.yaml'), '--wait', '--timeout', '3m');
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chart-test-'));
  await writeFile(join(directory, 'values.yaml'), stringify(VALUES));
  previous = await previousChart(directory);
  world = await World.start({
    images: [operatorImage],
    // The examples have 36 H100s.
    nodes: [...DEFAULT_NODES, ...[2, 3, 4].map((n) => gpuNode(`h100-${n}`, 'NVIDIA-H100-80GB-HBM3', 8))],
    install: async ({ client }) => {
      for (const name of [NAMESPACE, ...TEAMS])
        await client.create(NAMESPACES, {
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name, labels: RESTRICTED },
        });
    },
  });
});
afterAll(async () => {
  await world?.close();
  await rm(directory, { recursive: true, force: true });
});

const manifest = (items: readonly object[]): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'List', items });

/** A kubeconfig of a service account with Kubernetes' own role `edit` in the teams' namespaces, and nothing else. */
async function editor(): Promise<string> {
  const metadata = { name: 'editor', namespace: TEAM };
  await world.client.create(SERVICE_ACCOUNTS, { apiVersion: 'v1', kind: 'ServiceAccount', metadata });
  for (const namespace of TEAMS)
    await world.client.create(ROLE_BINDINGS, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'editor', namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
      subjects: [{ kind: 'ServiceAccount', ...metadata }],
    } as KubeObject);
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata, spec: {} };
  const answer = await world.client.create(SERVICE_ACCOUNTS, request as KubeObject, { subresource: 'token' });
  const { token } = (answer as KubeObject & { status: { token: string } }).status;
  const config = await world.kubectl('config', 'view', '--raw', '--flatten', '-o', 'json');
  const file = join(directory, 'editor');
  const { clusters } = JSON.parse(config) as { clusters: { name: string }[] };
  const cluster = clusters[0]?.name;
  await writeFile(
    file,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters,
      users: [{ name: 'editor', user: { token } }],
      contexts: [{ name: 'editor', context: { cluster, user: 'editor', namespace: TEAM } }],
      'current-context': 'editor',
    }),
  );
  return file;
}

/** What the engines' Deployments say of pods, and the UIDs of the pods that serve: neither changes when nothing restarts. */
async function serving(): Promise<object> {
  const labelSelector = 'app.kubernetes.io/component=engine';
  const { items: deployments } = await world.client.list<Deployment & { spec?: { template?: object } }>(
    DEPLOYMENTS,
    { labelSelector },
  );
  const { items: pods } = await world.client.list<Pod>(PODS, { labelSelector });
  return {
    templates: deployments.map(({ metadata, spec }) => [metadata.name, spec?.template]),
    pods: pods.map(({ metadata }) => metadata.uid),
  };
}

async function answers(): Promise<void> {
  expect(await ask(await world.openai('platform', 'shared'), MODEL)).toBeTruthy();
}

/** Whether the API server knows a field. */
async function knows(field: string): Promise<boolean> {
  return (await world.tryKubectl('explain', field)).code === 0;
}

/** The objects in the cluster that Helm made, but for records of releases. */
async function release(): Promise<string[]> {
  const kinds =
    'crd,clusterrole,clusterrolebinding,role,rolebinding,serviceaccount,service,deployment,pdb,networkpolicy';
  const output = await world.kubectl(
    ...['get', kinds, '-A', '-l', 'app.kubernetes.io/managed-by=Helm', '-o', 'name'],
  );
  return output.trim().split('\n').sort();
}

let before: object;

/** Waits until every example of a model has all that it asks for. */
async function modelsReady(): Promise<void> {
  for (const { metadata } of MODELS) await world.modelReady(metadata.namespace ?? '', metadata.name);
}

it('is installed, and an editor of namespaces serves the examples in pools of the platform', async () => {
  await apply('install', previous);
  const admin = { kubeconfig: world.cluster.kubeconfigPath, input: manifest(administratorsExamples()) };
  await kubectl(['apply', '-f', '-'], admin);
  const kubeconfig = await editor();
  await kubectl(
    ['create', 'secret', 'generic', 'huggingface', '-n', 'platform', '--from-literal=token=hf_x'],
    { kubeconfig },
  );
  await kubectl(['apply', '-f', '-'], { kubeconfig, input: manifest(MODELS) });
  await modelsReady();
  await answers();
  before = await serving();

  const options = { kubeconfig, input: manifest(administratorsExamples()) };
  const pools = await tryKubectl(['replace', '-f', '-'], options);
  expect(pools).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('Forbidden') });
  const pods = [...(await world.pods('platform', 'router')), ...(await world.pods(TEAM, 'engine', MODEL))];
  expect(pods.length).toBeGreaterThan(1);
  for (const { spec } of pods) {
    expect(spec).toMatchObject({ imagePullSecrets: [{ name: 'registry' }] });
    expect(spec?.containers?.[0]?.image).toMatch(/^registry\.example\.com\/mirror\//);
  }
});

it('is upgraded: definitions have the new field, operators the new version, and no engine restarts', async () => {
  expect(await knows(`inferencepool.spec.router.${NEW_FIELD}`)).toBe(false);
  await apply('upgrade', CHART);
  await eventually('the new field is served', () => knows(`inferencepool.spec.router.${NEW_FIELD}`));
  const operators = await world.kubectl('get', 'pods', '-n', NAMESPACE, '-o', 'jsonpath={..image}');
  expect(operators).toContain('registry.example.com/mirror/vllm-operator/operator:0.1.0');
  expect(operators).not.toContain('0.0.9');
  await modelsReady();
  expect(await serving()).toEqual(before);
  await answers();
});

it('writes nothing when it is applied again', async () => {
  const versions = () =>
    world.kubectl(
      ...['get', 'crd,clusterrole,role,service,serviceaccount,pdb,networkpolicy', '-A'],
      ...['-l', 'app.kubernetes.io/managed-by=Helm', '-o', 'jsonpath={..metadata.resourceVersion}'],
    );
  const first = await versions();
  await apply('upgrade', CHART);
  expect(await versions()).toBe(first);
});

it('is rolled back, definitions included, and no engine restarts', async () => {
  await inCluster('rollback', '1', '--wait', '--timeout', '3m');
  await eventually(
    'the new field is gone',
    async () => !(await knows(`inferencepool.spec.router.${NEW_FIELD}`)),
  );
  await modelsReady();
  expect(await serving()).toEqual(before);
  await answers();
});

it('is uninstalled: definitions and users’ objects stay, and traffic goes on', async () => {
  await inCluster('uninstall', '--wait');
  expect(await release()).toEqual([
    'customresourcedefinition.apiextensions.k8s.io/inferencemodels.vllm-operator.dev',
    'customresourcedefinition.apiextensions.k8s.io/inferencepools.vllm-operator.dev',
  ]);
  // Beside what Kubernetes has in each namespace, that with which it goes on if it is installed again.
  const kinds = 'deployments,pods,services,endpointslices,configmaps,secrets,leases,networkpolicies';
  const names = async () =>
    (await world.kubectl('get', kinds, '-n', NAMESPACE, '-o', 'name')).trim().split('\n').sort();
  // What the operator created goes with the ClusterRole of the release, as soon as Kubernetes finds that it has no owner.
  await expect
    .poll(names, { message: 'only these are left' })
    .toEqual([
      'configmap/kube-root-ca.crt',
      'lease.coordination.k8s.io/vllm-operator',
      'secret/vllm-operator-root',
    ]);
  await eventually(
    'the registration of the metrics API is gone',
    async () => !(await world.kubectl('get', 'apiservices', '-o', 'name')).includes('external.metrics'),
  );
  const models = await world.kubectl('get', 'vmodel', '-A', '-o', 'name');
  expect(models.trim().split('\n')).toHaveLength(MODELS.length);
  expect(await serving()).toEqual(before);
  await answers();
});

it('is installed again, and goes on where it was', async () => {
  await apply('install', CHART);
  await world.kubectl(
    'patch',
    'vmodel',
    MODEL,
    '-n',
    TEAM,
    '--type=merge',
    '-p',
    '{"spec":{"suspend":true}}',
  );
  await eventually('the engines stop', async () => (await world.pods(TEAM, 'engine', MODEL)).length === 0);
});
