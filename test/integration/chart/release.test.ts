/** A release of the chart against the API server of the environment, without pods; test/e2e has it with them. */
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { helm, tryHelm } from '../../../hack/kubectl/helm.ts';
import { kubectl, tryKubectl } from '../../../hack/kubectl/kubectl.ts';
import { renderFiles } from '../../../operator/cli/render.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { administratorsExamples, editorsExamples } from '../../support/examples.ts';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { whichApiServer } from '../support/which-api-server.ts';
import { CHART, renderChart, type Values } from './support/chart.ts';
import { NEW_FIELD, previousChart } from './support/previous-chart.ts';
import { VALUE_SETS } from './support/value-sets.ts';

const NAMESPACE = 'vllm-operator-system';
const EXAMPLES = join(CHART, '../../examples');

/** Names for the whole cluster are the same in every release, so a cluster that others use is none for this. */
const shared = whichApiServer() === 'existing';

let server: TestApiServer;
let directory: string;
let previous: string;

const run = (...args: string[]) => kubectl(args, { kubeconfig: server.kubeconfig });

async function release(args: string[], values?: Values): Promise<string> {
  const options = { kubeconfig: server.kubeconfig, ...(values && { input: stringify(values) }) };
  return await helm([...args, '--namespace', NAMESPACE, ...(values ? ['--values', '-'] : [])], options);
}

/** Properties of `spec.router` of pools, as the API server has them. */
async function routerFields(): Promise<string> {
  const path = '{.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.router.properties}';
  return await run('get', 'crd', 'inferencepools.vllm-operator.dev', '-o', `jsonpath=${path}`);
}

const CLUSTER_WIDE = 'crd,clusterrole,clusterrolebinding';
const NAMESPACED = 'role,rolebinding,serviceaccount,service,deployment,pdb,networkpolicy';

async function ofHelm(kinds: string, output: string): Promise<string> {
  return await run('get', kinds, '-A', '-l', 'app.kubernetes.io/managed-by=Helm', '-o', output);
}

const MODELS = editorsExamples();

const list = (items: readonly object[]): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });

async function apply(items: readonly object[], ...options: string[]): Promise<void> {
  await kubectl(['apply', '-f', '-', ...options], { kubeconfig: server.kubeconfig, input: list(items) });
}

interface PodTemplate {
  spec: { template: { metadata: object; spec: Record<string, unknown> } };
}

/** A pod of each Deployment. ServiceAccounts are left out: they are not here. */
function podsOf(objects: readonly KubeObject[]) {
  return objects.flatMap((object) => {
    if (object.kind !== 'Deployment') return [];
    const { metadata, spec } = (object as unknown as PodTemplate).spec.template;
    const { serviceAccountName: _, ...rest } = spec;
    const name = `${object.metadata.namespace}-${object.metadata.name}`;
    return [{ apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name }, spec: rest }];
  });
}

/** What the operator applies for the examples. */
function examplesRendered(): KubeObject[] {
  const files = readdirSync(EXAMPLES).filter((name) => name.endsWith('.yaml'));
  return files.flatMap((name) => {
    let text = '';
    let problems = '';
    const output = {
      write: (part: string) => {
        text += part;
      },
      fail: (part: string) => {
        problems += part;
      },
    };
    expect(renderFiles([join(EXAMPLES, name)], output), problems).toBe(0);
    return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
  });
}

beforeAll(async () => {
  if (shared) return;
  server = await startTestApiServer();
  directory = await mkdtemp(join(tmpdir(), 'release-test-'));
  previous = await previousChart(directory);
});
afterAll(async () => {
  await server?.close();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

describe.skipIf(shared)('a release', () => {
  it('is installed', async () => {
    await release(['install', 'vllm-operator', previous, '--create-namespace']);
    expect(await routerFields()).not.toContain(NEW_FIELD);
    const names = (await ofHelm(`${CLUSTER_WIDE},${NAMESPACED}`, 'name')).trim().split('\n');
    expect(names).toHaveLength(14);
  });

  it('lets an editor of namespaces apply the models of the examples, and no pools', async () => {
    const namespaces = [...new Set(MODELS.map(({ metadata }) => metadata.namespace ?? ''))];
    // A control plane would make these a part of `edit`.
    const roles = ['vllm-operator-view', 'vllm-operator-edit'];
    const apiGroup = 'rbac.authorization.k8s.io';
    const bindings = namespaces.flatMap((namespace) =>
      roles.map((name) => ({
        apiVersion: `${apiGroup}/v1`,
        kind: 'RoleBinding',
        metadata: { name, namespace },
        roleRef: { apiGroup, kind: 'ClusterRole', name },
        subjects: [{ apiGroup, kind: 'User', name: 'editor' }],
      })),
    );
    const pools = administratorsExamples();
    await apply([...pools, ...bindings]);
    await apply(MODELS, '--as=editor');
    await expect(apply(pools, '--server-side', '--as=editor')).rejects.toThrow(/forbidden/i);
  });

  it('has pods, its own and those of all examples, that Pod Security restricted admits', async () => {
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    await apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'restricted', labels } }]);
    const pods = podsOf([...(await renderChart()), ...examplesRendered()]);
    expect(pods.length).toBeGreaterThan(30);
    const create = ['create', '--dry-run=server', '-n', 'restricted', '-f', '-'];
    const input = list(pods);
    const admitted = await kubectl([...create, '-o', 'name'], { kubeconfig: server.kubeconfig, input });
    expect(admitted.trim().split('\n')).toHaveLength(pods.length);

    const [pod] = pods;
    const privileged = { ...pod, spec: { ...pod?.spec, hostNetwork: true } };
    const refused = await tryKubectl(create, { kubeconfig: server.kubeconfig, input: list([privileged]) });
    expect(refused.stderr).toContain('violates PodSecurity "restricted');
  });

  it('brings new fields when it is upgraded', async () => {
    await release(['upgrade', 'vllm-operator', CHART]);
    expect(await routerFields()).toContain(NEW_FIELD);
  });

  it('writes nothing when nothing is new', async () => {
    const versions = () => ofHelm(`${CLUSTER_WIDE},${NAMESPACED}`, 'jsonpath={..metadata.resourceVersion}');
    const before = await versions();
    for (const _ of [1, 2, 3]) await release(['upgrade', 'vllm-operator', CHART]);
    expect(await versions()).toBe(before);
  });

  it('is refused beside another one', async () => {
    const second = await tryHelm(
      ['install', 'second', CHART, '--namespace', 'elsewhere', '--create-namespace'],
      { kubeconfig: server.kubeconfig },
    );
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('cannot be imported into the current release');
  });

  it('goes back to what it was', async () => {
    await release(['rollback', 'vllm-operator', '1']);
    expect(await routerFields()).not.toContain(NEW_FIELD);
  });

  it('leaves the definitions when it goes, and finds them again', async () => {
    await release(['uninstall', 'vllm-operator']);
    expect(await ofHelm(NAMESPACED, 'name')).toBe('');
    expect((await ofHelm(CLUSTER_WIDE, 'name')).trim().split('\n').sort()).toEqual([
      'customresourcedefinition.apiextensions.k8s.io/inferencemodels.vllm-operator.dev',
      'customresourcedefinition.apiextensions.k8s.io/inferencepools.vllm-operator.dev',
    ]);
    expect((await run('get', 'vmodel', '-A', '-o', 'name')).trim().split('\n')).toHaveLength(MODELS.length);
    await release(['install', 'vllm-operator', CHART]);
    expect(await routerFields()).toContain(NEW_FIELD);
  });

  it('takes over from install.yaml where that is wanted', async () => {
    await release(['uninstall', 'vllm-operator']);
    await run('apply', '--server-side', '-k', join(CHART, '../../manifests'));
    const take = ['upgrade', '--install', '--take-ownership', '--force-conflicts', 'vllm-operator', CHART];
    await release(take);
    expect((await ofHelm(NAMESPACED, 'name')).trim().split('\n')).not.toEqual(['']);
  });
});

/** An object of the team, as JSON. */
function manifest(kind: string, spec: object): string {
  const metadata = { name: 'chat', namespace: 'team-a' };
  return JSON.stringify({ apiVersion: 'vllm-operator.dev/v1alpha1', kind, metadata, spec });
}

const poolRef = { name: 'a100', namespace: 'platform' };
const good = { source: 'hf://mistralai/Mistral-7B-Instruct-v0.3' };

/** devcluster has no admission policies in force; the expressions are evaluated in policies.test.ts. */
describe.skipIf(whichApiServer() !== 'envtest')('its policies', () => {
  const create = (input: string) =>
    tryKubectl(['apply', '--dry-run=server', '-f', '-'], { kubeconfig: server.kubeconfig, input });

  it('refuse what they do not allow, and nothing else', async () => {
    await release(['upgrade', 'vllm-operator', CHART], VALUE_SETS.policies);
    await apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team-a', labels: { team: 'a' } } },
    ]);
    const evil = manifest('InferenceModel', { poolRef, model: { source: 'hf://evil/model' } });
    await expect
      .poll(async () => (await create(evil)).stderr, { message: 'the policy is in force' })
      .toContain('model source hf://evil/model is not allowed in this namespace');

    for (const [kind, spec] of [
      ['InferenceModel', { poolRef, model: good }],
      [
        'InferenceModel',
        { poolRef, model: good, engine: { speculative: { method: 'ngram', numSpeculativeTokens: 2 } } },
      ],
      ['InferencePool', { accelerator: { type: 'H100x4' } }],
      [
        'InferencePool',
        { accelerator: { type: 'A100' }, router: { image: 'registry.example.com/router:1' } },
      ],
    ] as const)
      expect(await create(manifest(kind, spec)), JSON.stringify(spec)).toMatchObject({ code: 0, stderr: '' });

    for (const [kind, spec, message] of [
      ['InferenceModel', { poolRef: { name: 'a100' }, model: good }, 'spec.poolRef is not allowed'],
      [
        'InferenceModel',
        { poolRef, model: good, template: { initContainers: [{ name: 'init', image: 'evil/init' }] } },
        'image evil/init is not allowed',
      ],
      [
        'InferenceModel',
        { poolRef, model: good, engine: { extraArgs: ['--seed=1'] } },
        'spec.engine.extraArgs is not allowed',
      ],
      ['InferencePool', { accelerator: { type: 'H200' } }, 'spec.accelerator.type H200 is not allowed'],
      [
        'InferencePool',
        { accelerator: { type: 'A100' }, router: { image: 'evil/router' } },
        'image evil/router is not allowed',
      ],
    ] as const)
      expect((await create(manifest(kind, spec))).stderr).toContain(message);
  });
});
