import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApiServer, startApiServer } from '../../../hack/devcluster/apiserver/start-api-server.ts';
import { kubectl, tryKubectl } from '../../../hack/kubectl/kubectl.ts';

const DEFINITION = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'gadgets.test.example.com' },
  spec: {
    group: 'test.example.com',
    scope: 'Namespaced',
    names: { plural: 'gadgets', kind: 'Gadget', shortNames: ['gd'], categories: ['all'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: {
          status: {},
          scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
        },
        additionalPrinterColumns: [{ name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' }],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            description: 'A gadget does things.',
            properties: {
              spec: {
                type: 'object',
                description: 'What is wanted.',
                properties: {
                  replicas: { type: 'integer', description: 'How many of them.' },
                  parts: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
                },
              },
              status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
            },
          },
        },
      },
    ],
  },
};

const gadget = (spec: unknown): string =>
  JSON.stringify({ apiVersion: 'test.example.com/v1', kind: 'Gadget', metadata: { name: 'g' }, spec });

const deployment = (image: string, env: string[]): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'main', image, env: env.map((name) => ({ name, value: '1' })) }] },
      },
    },
  });

let server: ApiServer;
let directory: string;
let kubeconfig: string;

beforeAll(async () => {
  server = await startApiServer();
  directory = await mkdtemp(join(tmpdir(), 'kubectl-test-'));
  kubeconfig = join(directory, 'kubeconfig');
  await writeFile(kubeconfig, server.adminKubeconfig(), { mode: 0o600 });
  await run(['apply', '-f', '-'], JSON.stringify(DEFINITION));
  await run(['wait', '--for=condition=Established', 'crd/gadgets.test.example.com', '--timeout=10s']);
});

afterAll(async () => {
  await server.close();
  await rm(directory, { recursive: true, force: true });
});

function flags(args: string[]): string[] {
  return [...args, `--cache-dir=${join(directory, 'cache')}`];
}

function run(args: string[], input?: string): Promise<string> {
  return kubectl(flags(args), { kubeconfig, ...(input === undefined ? {} : { input }) });
}

function apply(object: object): Promise<string> {
  return run(['apply', '-f', '-'], JSON.stringify(object));
}

test('apply, change and delete a custom resource', async () => {
  expect(await run(['apply', '-f', '-'], gadget({ replicas: 1, parts: ['a'] }))).toBe(
    'gadget.test.example.com/g created\n',
  );
  expect(await run(['apply', '-f', '-'], gadget({ replicas: 1, parts: ['a'] }))).toBe(
    'gadget.test.example.com/g unchanged\n',
  );
  expect(await run(['apply', '-f', '-'], gadget({ replicas: 2 }))).toBe(
    'gadget.test.example.com/g configured\n',
  );
  expect(await run(['get', 'gd'])).toMatch(/^NAME +REPLICAS\ng +2\n$/);
  await run(['scale', 'gadget/g', '--replicas=5']);
  await run(['label', 'gd', 'g', 'team=a']);
  await run(['annotate', 'gd', 'g', 'note=b']);
  await run([
    'patch',
    'gd',
    'g',
    '--subresource=status',
    '--type=merge',
    '-p',
    '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}',
  ]);
  expect(await run(['wait', '--for=condition=Ready', 'gd/g', '--timeout=10s'])).toBe(
    'gadget.test.example.com/g condition met\n',
  );
  expect(
    await run(['get', 'gd', 'g', '-o', 'jsonpath={.spec.replicas} {.metadata.labels.team} {.spec.parts}']),
  ).toBe('5 a ');
  expect(await run(['describe', 'gd', 'g'])).toContain('Replicas:  5');
  expect(await run(['get', 'all'])).toContain('gadget.test.example.com/g');
  expect(await run(['delete', 'gd', 'g'])).toContain('deleted');
  expect((await tryKubectl(flags(['get', 'gd', 'g']), { kubeconfig })).stderr).toContain('(NotFound)');
});

test('server-side apply tells conflicts, and takes over when told to', async () => {
  await run(['apply', '--server-side', '--field-manager=one', '-f', '-'], deployment('img:1', ['A']));
  await run(['apply', '--server-side', '--field-manager=two', '-f', '-'], deployment('img:1', ['B']));
  const conflict = await tryKubectl(flags(['apply', '--server-side', '--field-manager=two', '-f', '-']), {
    kubeconfig,
    input: deployment('img:2', ['B']),
  });
  expect(conflict).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('.spec.template.spec.containers[name="main"].image'),
  });
  await run(
    ['apply', '--server-side', '--force-conflicts', '--field-manager=two', '-f', '-'],
    deployment('img:2', ['B']),
  );
  const shown = await run([
    'get',
    'deploy',
    'web',
    '-o',
    'jsonpath={range .spec.template.spec.containers[*]}{.image} {.env[*].name}{end}',
  ]);
  expect(shown).toBe('img:2 A B');
  await run(['delete', 'deploy', 'web']);
});

test('server-side apply after a client-side one leaves the object its name', async () => {
  const kept = (data: Record<string, string>): string =>
    JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kept' }, data });
  await run(['apply', '-f', '-'], kept({ a: '1' }));
  for (const manager of ['kubectl', 'argocd-controller']) {
    const flags = ['--server-side', `--field-manager=${manager}`, '--force-conflicts'];
    expect(await run(['apply', ...flags, '-f', '-'], kept({ a: '2' }))).toContain('configmap/kept');
    expect(await run(['get', 'configmap', 'kept', '-o', 'jsonpath={.metadata.name} {.data.a}'])).toBe(
      'kept 2',
    );
  }
});

test('client-side apply removes what was left out', async () => {
  await run(['apply', '-f', '-'], deployment('img:1', ['A', 'B']));
  await run(['set', 'env', 'deploy/web', 'OTHER=1']);
  await run(['apply', '-f', '-'], deployment('img:1', ['B', 'C']));
  const names = await run([
    'get',
    'deploy',
    'web',
    '-o',
    'jsonpath={.spec.template.spec.containers[0].env[*].name}',
  ]);
  expect(names.split(' ').sort()).toEqual(['B', 'C', 'OTHER']);
  await run(['delete', 'deploy', 'web']);
});

test('edit', async () => {
  const data = { key: 'before' };
  await apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'edited' }, data });
  const editor = join(directory, 'editor.sh');
  await writeFile(editor, '#!/bin/sh\nsed -i s/before/after/ "$1"\n', { mode: 0o700 });
  process.env.KUBE_EDITOR = editor;
  try {
    await run(['edit', 'configmap', 'edited']);
  } finally {
    delete process.env.KUBE_EDITOR;
  }
  expect(await run(['get', 'cm', 'edited', '-o', 'jsonpath={.data.key}'])).toBe('after');
});

test('create sends protobuf, which is read for namespaces, bindings and reviews', async () => {
  await run(['create', 'namespace', 'created']);
  await run([
    'create',
    'rolebinding',
    'team',
    '--clusterrole=edit',
    '--group=team',
    '--serviceaccount=a:b',
    '-n',
    'created',
  ]);
  const binding = JSON.parse(
    await run(['get', 'rolebinding', 'team', '-n', 'created', '-o', 'json']),
  ) as object;
  expect(binding).toMatchObject({
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
    subjects: [
      { apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'team' },
      { kind: 'ServiceAccount', name: 'b', namespace: 'a' },
    ],
  });
  const can = (...words: string[]) =>
    tryKubectl(['auth', 'can-i', ...words, '-n', 'created', '--as=someone', '--as-group=team'], {
      kubeconfig,
    });
  expect(await can('create', 'configmaps')).toMatchObject({ code: 0, stdout: 'yes\n' });
  expect(await can('create', 'namespaces')).toMatchObject({ code: 1, stdout: 'no\n' });
});

test('protobuf of other kinds is refused in words', async () => {
  const { code, stderr } = await tryKubectl(flags(['create', 'deployment', 'made', '--image=made']), {
    kubeconfig,
  });
  expect({ code, stderr }).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      'protobuf of a Deployment is not read here: with kubectl use `create … --dry-run=client',
    ),
  });
});

test.each([
  ['client-side', ['apply', '-f', '-']],
  ['server-side', ['apply', '--server-side', '-f', '-']],
  ['a diff', ['diff', '-f', '-']],
])('a kind that is not installed is told as by kube-apiserver: %s', async (_, args) => {
  const input = JSON.stringify({
    apiVersion: 'none.example.com/v1',
    kind: 'Nothing',
    metadata: { name: 'n' },
  });
  const { code, stderr } = await tryKubectl(flags(args), { kubeconfig, input });
  expect(code).not.toBe(0);
  expect(stderr).toContain('no matches for kind "Nothing" in version "none.example.com/v1"');
  expect(stderr).toContain('ensure CRDs are installed first');
});

test('explain and api-resources know custom resources', async () => {
  expect(await run(['explain', 'gadget.spec'])).toMatch(
    /What is wanted[\s\S]*replicas\t<integer>\n +How many of them/,
  );
  expect(await run(['explain', 'deployment.spec.replicas'])).toContain('FIELD: replicas <integer>');
  expect(await run(['api-resources', '--api-group=test.example.com'])).toMatch(
    /gadgets +gd +test\.example\.com\/v1 +true +Gadget/,
  );
});

test('a misspelt field is refused', async () => {
  const answer = await tryKubectl(flags(['apply', '-f', '-']), { kubeconfig, input: gadget({ replica: 1 }) });
  expect(answer).toMatchObject({ code: 1, stderr: expect.stringContaining('unknown field "spec.replica"') });
});

test('logs', async () => {
  server.servePodLogs(async function* ({ tailLines }) {
    yield Buffer.from(`last ${tailLines} lines\n`);
  });
  const spec = { nodeName: 'n', containers: [{ name: 'main', image: 'img:1' }] };
  await run(
    ['apply', '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'talker' }, spec }),
  );
  expect(await run(['logs', 'talker', '--tail=3'])).toBe('last 3 lines\n');
  expect(await run(['get', 'pod', 'talker'])).toMatch(/talker +0\/1 +Pending +0/);
});

test('deleting a namespace waits until it is gone', async () => {
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'short' } });
  await apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'short', name: 'a' } });
  await run(['delete', 'namespace', 'short', '--timeout=20s']);
  expect((await tryKubectl(flags(['get', 'namespace', 'short']), { kubeconfig })).code).toBe(1);
});
