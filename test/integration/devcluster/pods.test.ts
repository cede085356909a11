import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiServer, startApiServer } from '../../../hack/devcluster/apiserver/start-api-server.ts';
import { Api } from './support/api.ts';

let server: ApiServer;
let api: Api;
let path: string;

beforeAll(async () => {
  server = await startApiServer({ serviceCidr: '127.99.0.0/28' });
  api = new Api(server.url);
  path = await api.namespace('pods');
});

afterAll(() => server.close());

function pod(name: string, rest: Record<string, unknown> = {}, labels = {}): unknown {
  const containers = [
    {
      name: 'main',
      image: 'img:1',
      resources: { limits: { cpu: '500m', memory: '1024Mi', 'nvidia.com/gpu': 1 } },
    },
  ];
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels }, spec: { containers, ...rest } };
}

async function bind(name: string): Promise<void> {
  await api.create(`${path}/pods/${name}/binding`, {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name },
    target: { kind: 'Node', name: 'n1' },
  });
}

describe('a new pod', () => {
  test('gets defaults, requests, a class of service and a token', async () => {
    const made = await api.create(`${path}/pods`, pod('new'));
    expect(made.status).toMatchObject({ phase: 'Pending', qosClass: 'Guaranteed' });
    expect(made.spec).toMatchObject({
      restartPolicy: 'Always',
      serviceAccountName: 'default',
      enableServiceLinks: true,
      priority: 0,
      terminationGracePeriodSeconds: 30,
    });
    const [container] = made.spec.containers as Record<string, unknown>[];
    expect(container).toMatchObject({
      imagePullPolicy: 'IfNotPresent',
      resources: { requests: { cpu: '500m', memory: '1Gi', 'nvidia.com/gpu': '1' } },
      volumeMounts: [{ mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true }],
    });
  });

  test('gets no token when it wants none', async () => {
    const made = await api.create(`${path}/pods`, pod('tokenless', { automountServiceAccountToken: false }));
    expect(made.spec.volumes).toBeUndefined();
  });

  test('is refused with all that is wrong', async () => {
    const containers = [
      {
        name: 'Main',
        ports: [{ containerPort: 0 }],
        volumeMounts: [{ name: 'nosuch', mountPath: '/x' }],
        resources: { requests: { 'nvidia.com/gpu': 1 } },
      },
    ];
    const { status, body } = await api.send('POST', `${path}/pods`, pod('wrong', { containers }));
    const { causes } = (body as unknown as { details: { causes: { reason: string; field: string }[] } })
      .details;
    expect(status).toBe(422);
    expect(causes.map(({ reason, field }) => `${reason} ${field}`)).toEqual([
      'FieldValueInvalid spec.containers[0].name',
      'FieldValueRequired spec.containers[0].image',
      'FieldValueRequired spec.containers[0].ports[0].containerPort',
      'FieldValueNotFound spec.containers[0].volumeMounts[0].name',
      'FieldValueRequired spec.containers[0].resources.limits',
    ]);
  });
});

test('the spec of a pod is fixed, its status is not', async () => {
  await api.create(`${path}/pods`, pod('fixed'));
  const answer = await api.send(
    'PATCH',
    `${path}/pods/fixed`,
    { spec: { dnsPolicy: 'Default' } },
    'application/merge-patch+json',
  );
  expect(answer.status).toBe(422);
  const changed = await api.merge(`${path}/pods/fixed/status`, {
    status: { phase: 'Running', podIP: '127.0.0.9' },
  });
  expect(changed.status).toMatchObject({ phase: 'Running', podIP: '127.0.0.9', qosClass: 'Guaranteed' });
  const found = await api.get(`${path}/pods?fieldSelector=status.phase=Running,metadata.name=fixed`);
  expect(found.items).toHaveLength(1);
});

describe('deletion', () => {
  test('of a pod that runs waits for the node agent', async () => {
    await api.create(`${path}/pods`, pod('running'));
    await bind('running');
    const marked = await api.ok('DELETE', `${path}/pods/running`);
    expect(marked.metadata).toMatchObject({
      deletionGracePeriodSeconds: 30,
      deletionTimestamp: expect.any(String),
    });
    expect((await api.get(`${path}/pods/running`)).spec.nodeName).toBe('n1');
    // A shorter grace period replaces the longer one; zero is the agent's word that the pod ended.
    const shorter = await api.ok('DELETE', `${path}/pods/running?gracePeriodSeconds=5`);
    expect(shorter.metadata.deletionGracePeriodSeconds).toBe(5);
    await api.ok('DELETE', `${path}/pods/running?gracePeriodSeconds=0`);
    expect((await api.send('GET', `${path}/pods/running`)).status).toBe(404);
  });

  test('of a pod that never ran is at once', async () => {
    await api.create(`${path}/pods`, pod('unbound'));
    await api.ok('DELETE', `${path}/pods/unbound`);
    expect((await api.send('GET', `${path}/pods/unbound`)).status).toBe(404);
  });
});

test('a pod is bound once', async () => {
  await api.create(`${path}/pods`, pod('bound'));
  await bind('bound');
  const again = await api.send('POST', `${path}/pods/bound/binding`, {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name: 'bound' },
    target: { name: 'n2' },
  });
  expect(again.status).toBe(409);
});

test('eviction keeps to the disruption budget', async () => {
  await api.create(`${path}/pods`, pod('evicted', {}, { app: 'e' }));
  await bind('evicted');
  const budgets = '/apis/policy/v1/namespaces/pods/poddisruptionbudgets';
  await api.create(budgets, {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'b' },
    spec: { selector: { matchLabels: { app: 'e' } }, minAvailable: 1 },
  });
  const evict = async (): Promise<number> =>
    (
      await api.send('POST', `${path}/pods/evicted/eviction`, {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name: 'evicted' },
      })
    ).status;
  const running = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
  await api.merge(`${path}/pods/evicted/status`, { status: running });
  expect(await evict()).toBe(429);
  await api.merge(`${budgets}/b/status`, { status: { disruptionsAllowed: 1, observedGeneration: 1 } });
  expect(await evict()).toBe(201);
  expect((await api.get(`${path}/pods/evicted`)).metadata.deletionTimestamp).toBeDefined();
  expect((await api.get(`${budgets}/b`)).status.disruptionsAllowed).toBe(0);
});

test('a pod that runs nowhere, or that its budget does without, can be evicted', async () => {
  await api.create('/apis/policy/v1/namespaces/pods/poddisruptionbudgets', {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'none' },
    spec: { selector: { matchLabels: { app: 'n' } }, minAvailable: 1 },
  });
  const status = { desiredHealthy: 1, currentHealthy: 1, disruptionsAllowed: 0, observedGeneration: 1 };
  await api.merge('/apis/policy/v1/namespaces/pods/poddisruptionbudgets/none/status', { status });
  const evict = async (name: string, phase: string): Promise<number> => {
    await api.create(`${path}/pods`, pod(name, {}, { app: 'n' }));
    await bind(name);
    await api.merge(`${path}/pods/${name}/status`, { status: { phase } });
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } };
    return (await api.send('POST', `${path}/pods/${name}/eviction`, eviction)).status;
  };
  expect(await evict('pending', 'Pending')).toBe(201);
  expect(await evict('unready', 'Running')).toBe(201);
});

test('logs stream from the node agent', async () => {
  server.servePodLogs(async function* ({ container, follow }, signal) {
    yield Buffer.from(`first of ${container}\n`);
    if (!follow) return;
    yield Buffer.from('second\n');
    await sleep(60_000, undefined, { signal }).catch(() => undefined);
  });
  await api.create(`${path}/pods`, pod('logged'));
  expect(await api.send('GET', `${path}/pods/logged/log`)).toMatchObject({ status: 204 });
  await bind('logged');
  expect((await api.send('GET', `${path}/pods/logged/log`)).body).toEqual({ text: 'first of main\n' });
  expect((await api.send('GET', `${path}/pods/logged/log?container=nosuch`)).status).toBe(400);
  const stop = new AbortController();
  const following = await fetch(`${server.url}${path}/pods/logged/log?follow=true`, { signal: stop.signal });
  const reader = following.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes('second')) text += (await reader?.read())?.value ?? '';
  stop.abort();
  expect(text).toBe('first of main\nsecond\n');
});

describe('services', () => {
  const services = (): string => `${path}/services`;
  const service = (name: string, spec: Record<string, unknown> = {}): unknown => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { ports: [{ port: 80 }], ...spec },
  });

  test('get addresses of the range, each once, and give them back', async () => {
    const names = Array.from({ length: 14 }, (_, index) => `s${index}`);
    const taken = async (): Promise<Set<unknown>> => {
      const made = await Promise.all(names.map((name) => api.create(services(), service(name))));
      return new Set(made.map(({ spec }) => spec.clusterIP));
    };
    const first = await taken();
    expect(first.size).toBe(names.length);
    expect([...first].every((address) => /^127\.99\.0\.([1-9]|1[0-5])$/.test(String(address)))).toBe(true);
    for (const name of names) await api.ok('DELETE', `${services()}/${name}`);
    expect((await taken()).size).toBe(names.length);
    for (const name of names) await api.ok('DELETE', `${services()}/${name}`);
  });

  test('keep their address when a replacement leaves it out', async () => {
    const made = await api.create(services(), service('kept'));
    const replaced = await api.ok('PUT', `${services()}/kept`, service('kept', { selector: { a: 'b' } }));
    expect(replaced.spec).toMatchObject({ clusterIP: made.spec.clusterIP, selector: { a: 'b' } });
  });
});

test.each<[level: string, spec: Record<string, unknown>, violation: string | undefined]>([
  ['privileged', { hostPID: true }, undefined],
  ['baseline', { hostPID: true, hostIPC: true }, 'host namespaces (hostPID=true, hostIPC=true)'],
  ['baseline', { volumes: [{ name: 'v', hostPath: { path: '/' } }] }, 'hostPath volumes (volume "v")'],
  [
    'baseline',
    {
      initContainers: [
        { name: 'i', image: 'img:1', securityContext: { capabilities: { add: ['SYS_ADMIN'] } } },
      ],
    },
    'non-default capabilities (container "i" must not include "SYS_ADMIN" in securityContext.capabilities.add)',
  ],
  [
    'baseline',
    { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } },
    'forbidden sysctls (kernel.msgmax)',
  ],
  ['baseline', { securityContext: { runAsUser: 0 } }, undefined],
  [
    'restricted',
    {
      securityContext: { runAsNonRoot: true, runAsUser: 0, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'main',
          image: 'img:1',
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
    'runAsUser=0 (pod must not set runAsUser=0)',
  ],
])('pods of a namespace that enforces %s, with %j', async (level, spec, violation) => {
  const labels = { 'pod-security.kubernetes.io/enforce': level };
  const { metadata } = await api.create('/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { generateName: 'secure-', labels },
  });
  const pods = `/api/v1/namespaces/${metadata.name}/pods`;
  // A namespace gets its service account a moment later.
  await expect
    .poll(async () => (await api.send('POST', `${pods}?dryRun=All`, pod('a', spec))).body)
    .not.toMatchObject({
      message: expect.stringContaining('service account'),
    });
  const answer = await api.send('POST', pods, pod('a', spec));
  expect(answer).toMatchObject(
    violation === undefined
      ? { status: 201 }
      : {
          status: 403,
          body: { message: `pods "a" is forbidden: violates PodSecurity "${level}:latest": ${violation}` },
        },
  );
});
