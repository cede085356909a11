import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Pod } from '../../../hack/devcluster/kinds.ts';
import { isReady } from '../../../hack/devcluster/node/pod.ts';
import { CONFIG_MAPS, PODS, SECRETS } from '../../../operator/kube/resource-types.ts';
import { call, server, TestCluster } from './support/test-cluster.ts';

let cluster: TestCluster;
let namespace: string;

beforeAll(async () => {
  cluster = await TestCluster.start();
  namespace = await cluster.namespace('pods');
});
afterAll(() => cluster.close());

function statusOf(pod: Pod) {
  return pod.status?.containerStatuses?.[0];
}

test('a pod runs with the environment and files that it asks for, and follows changes of them', async () => {
  await cluster.client.create(CONFIG_MAPS, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace, name: 'settings' },
    data: { 'a.txt': 'one', level: 'high' },
  } as never);
  await cluster.client.create(SECRETS, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace, name: 'token' },
    data: { key: Buffer.from('s3cret').toString('base64') },
  } as never);
  await cluster.createPod(
    namespace,
    'files',
    {
      containers: [
        server({
          command: [
            '/bin/sh',
            '-c',
            'echo $LEVEL $TOKEN $NODE $(cat /etc/settings/a.txt) $GREETING; exec sleep 1000',
          ],
          readinessProbe: { exec: { command: ['test', '-f', '/etc/settings/a.txt'] }, periodSeconds: 1 },
          env: [
            { name: 'LEVEL', valueFrom: { configMapKeyRef: { name: 'settings', key: 'level' } } },
            { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'token', key: 'key' } } },
            { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
            { name: 'GREETING', value: 'I am $(POD_NAME)' },
          ],
          volumeMounts: [{ name: 'settings', mountPath: '/etc/settings' }],
        }),
        server({ name: 'reader', volumeMounts: [{ name: 'all', mountPath: '/all' }] }),
      ],
      volumes: [
        { name: 'settings', configMap: { name: 'settings' } },
        {
          name: 'all',
          projected: {
            sources: [
              { configMap: { name: 'settings', items: [{ key: 'a.txt', path: 'sub/b.txt' }] } },
              { secret: { name: 'token' } },
              { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
            ],
          },
        },
      ],
    },
    { team: 'blue' },
  );
  const pod = await cluster.ready(namespace, 'files');
  await expect
    .poll(() => cluster.log(namespace, 'files', { container: 'main' }))
    .toBe('high s3cret cpu-0 one I am files\n');

  const root = `${cluster.cluster.directory}/pods`;
  const all = `${root}/${readdirSync(root)[0]}/v/reader/all`;
  const files = () => ['sub/b.txt', 'key', 'labels'].map((name) => readFileSync(`${all}/${name}`, 'utf8'));
  expect(files()).toEqual(['one', 's3cret', 'team="blue"']);

  await cluster.client.patch(
    CONFIG_MAPS,
    { namespace, name: 'settings' },
    { merge: { data: { 'a.txt': 'two' } } },
  );
  await cluster.client.patch(
    PODS,
    { namespace, name: 'files' },
    { merge: { metadata: { labels: { team: 'red' } } } },
  );
  await expect.poll(files).toEqual(['two', 's3cret', 'team="red"']);
  expect(statusOf(pod)?.restartCount).toBe(0);
});

test('a pod waits for a ConfigMap that does not exist yet, and says so', async () => {
  await cluster.createPod(namespace, 'early', {
    containers: [server({ volumeMounts: [{ name: 'late', mountPath: '/late' }] })],
    volumes: [{ name: 'late', configMap: { name: 'late' } }],
  });
  await cluster.until(PODS, namespace, 'early', {
    status: {
      phase: 'Pending',
      containerStatuses: [{ state: { waiting: { reason: 'ContainerCreating' } } }],
    },
  });

  await cluster.client.create(CONFIG_MAPS, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace, name: 'late' },
  });

  await cluster.ready(namespace, 'early');
});

test('an image that nothing stands for is reported as a kubelet reports it', async () => {
  await cluster.createPod(namespace, 'no-image', {
    containers: [{ name: 'main', image: 'example.com/none:1' }],
  });

  await cluster.until(PODS, namespace, 'no-image', {
    status: {
      phase: 'Pending',
      containerStatuses: [{ state: { waiting: { reason: 'ImagePullBackOff' } }, ready: false }],
    },
  });
  await cluster.client.delete(PODS, { namespace, name: 'no-image' });
  await cluster.gone(PODS, namespace, 'no-image');
});

test('readiness follows its probe; the pod is not restarted for it', async () => {
  const probe = { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 1, failureThreshold: 1 };
  await cluster.createPod(namespace, 'readiness', { containers: [server({ readinessProbe: probe })] });
  const pod = await cluster.ready(namespace, 'readiness');

  await call(pod, '/fail', 'POST');
  const unready = await cluster.until<Pod>(PODS, namespace, 'readiness', {
    status: { containerStatuses: [{ ready: false, restartCount: 0, state: { running: {} } }] },
  });
  expect(isReady(unready)).toBe(false);
  expect(unready.status?.conditions).toContainEqual(
    expect.objectContaining({ type: 'Ready', status: 'False', reason: 'ContainersNotReady' }),
  );

  await call(pod, '/recover', 'POST');
  await cluster.ready(namespace, 'readiness');
});

test('a container that fails its liveness probe is restarted, and starts anew behind its startup probe', async () => {
  const httpGet = { path: '/healthz', port: 8000 };
  await cluster.createPod(namespace, 'liveness', {
    containers: [
      server({
        startupProbe: { httpGet, periodSeconds: 1, failureThreshold: 100 },
        livenessProbe: { httpGet, periodSeconds: 1, failureThreshold: 2 },
      }),
    ],
  });
  const pod = await cluster.ready(namespace, 'liveness');

  await call(pod, '/fail', 'POST');

  await cluster.until(PODS, namespace, 'liveness', {
    status: {
      containerStatuses: [
        {
          restartCount: 1,
          ready: true,
          started: true,
          lastState: { terminated: { exitCode: 0, reason: 'Completed' } },
        },
      ],
    },
  });
});

test('a container that keeps crashing is started again at once, then after a growing back-off', async () => {
  await cluster.createPod(namespace, 'crash', {
    containers: [
      {
        name: 'main',
        image: 'busybox',
        command: ['/bin/sh', '-c', 'echo no memory left; exit 3'],
        terminationMessagePolicy: 'FallbackToLogsOnError',
      },
    ],
  });

  await cluster.until(PODS, namespace, 'crash', {
    status: {
      phase: 'Running',
      containerStatuses: [
        {
          restartCount: 1,
          state: { waiting: { reason: 'CrashLoopBackOff' } },
          lastState: { terminated: { exitCode: 3, reason: 'Error', message: 'no memory left\n' } },
        },
      ],
    },
  });
  await cluster.until(PODS, namespace, 'crash', { status: { containerStatuses: [{ restartCount: 2 }] } });
  expect(await cluster.log(namespace, 'crash', { previous: true })).toBe('no memory left\n');
});

test('a pod that never restarts ends as Succeeded or Failed', async () => {
  for (const [name, code, phase] of [
    ['ends-well', 0, 'Succeeded'],
    ['ends-badly', 7, 'Failed'],
  ] as const) {
    await cluster.createPod(namespace, name, {
      restartPolicy: 'Never',
      containers: [{ name: 'main', image: 'busybox', command: ['/bin/sh', '-c', `exit ${code}`] }],
    });
    await cluster.until(PODS, namespace, name, {
      status: { phase, containerStatuses: [{ ready: false, state: { terminated: { exitCode: code } } }] },
    });
  }
});

test('init containers run one after the other before the containers', async () => {
  const shared = { volumeMounts: [{ name: 'work', mountPath: '/scratch' }], image: 'busybox' };
  await cluster.createPod(namespace, 'init', {
    initContainers: [
      { name: 'first', ...shared, command: ['/bin/sh', '-c', 'echo 1 >> /scratch/order'] },
      { name: 'second', ...shared, command: ['/bin/sh', '-c', 'echo 2 >> /scratch/order'] },
    ],
    containers: [
      { name: 'main', ...shared, command: ['/bin/sh', '-c', 'cat /scratch/order; exec sleep 1000'] },
    ],
    volumes: [{ name: 'work', emptyDir: {} }],
  });

  await cluster.ready(namespace, 'init');
  await expect.poll(() => cluster.log(namespace, 'init')).toBe('1\n2\n');
});

test('a deleted pod runs its preStop hook, gets SIGTERM, and is gone when it has stopped', async () => {
  await cluster.createPod(namespace, 'graceful', {
    terminationGracePeriodSeconds: 30,
    containers: [
      server({
        env: [{ name: 'STOP_AFTER_MS', value: '200' }],
        lifecycle: { preStop: { httpGet: { path: '/log?line=preStop', port: 'http' } } },
      }),
    ],
  });
  const pod = await cluster.ready(namespace, 'graceful');
  const lines: string[] = [];
  const log = await cluster.client.stream({
    path: `/api/v1/namespaces/${namespace}/pods/graceful/log`,
    query: { follow: true },
  });
  const following = (async () => {
    for await (const chunk of log) lines.push(Buffer.from(chunk).toString('utf8'));
  })();

  await cluster.client.delete(PODS, { namespace, name: 'graceful' });
  await cluster.until(PODS, namespace, 'graceful', { metadata: { deletionGracePeriodSeconds: 30 } });
  expect(await call(pod, '/')).toBe('graceful');

  await cluster.gone(PODS, namespace, 'graceful');
  await following;
  expect(lines.join('')).toBe('listening\npreStop\nSIGTERM\n');
});

test('a process that ignores SIGTERM is killed when the grace period is over, or at once by force', async () => {
  const containers = [server({ env: [{ name: 'STOP_AFTER_MS', value: 'never' }] })];
  await cluster.createPod(namespace, 'stubborn', { terminationGracePeriodSeconds: 1, containers });
  await cluster.createPod(namespace, 'forced', { terminationGracePeriodSeconds: 600, containers });
  const [stubborn, forced] = await Promise.all([
    cluster.ready(namespace, 'stubborn'),
    cluster.ready(namespace, 'forced'),
  ]);

  await cluster.client.delete(PODS, { namespace, name: 'stubborn' });
  await cluster.client.delete(PODS, { namespace, name: 'forced' });
  await cluster.gone(PODS, namespace, 'stubborn');
  await expect(call(stubborn, '/')).rejects.toThrow('fetch failed');
  expect(await call(forced, '/')).toBe('forced');

  await cluster.client.delete(PODS, { namespace, name: 'forced' }, { gracePeriodSeconds: 0 });
  await cluster.gone(PODS, namespace, 'forced');
  await expect.poll(() => call(forced, '/').catch(() => 'refused')).toBe('refused');
});

test('a log can be followed, limited and asked for from its end', async () => {
  await cluster.createPod(namespace, 'logs', { containers: [server()] });
  const pod = await cluster.ready(namespace, 'logs');
  await expect.poll(() => cluster.log(namespace, 'logs')).toBe('listening\n');
  const log = await cluster.client.stream({
    path: `/api/v1/namespaces/${namespace}/pods/logs/log`,
    query: { follow: true },
  });
  const chunks = log[Symbol.asyncIterator]();
  const read = async (): Promise<string> => Buffer.from((await chunks.next()).value ?? []).toString('utf8');
  expect(await read()).toBe('listening\n');

  await call(pod, '/log?line=more', 'POST');

  expect(await read()).toBe('more\n');
  await chunks.return?.();
  expect(await cluster.log(namespace, 'logs', { tailLines: 1 })).toBe('more\n');
  expect(await cluster.log(namespace, 'logs', { limitBytes: 4 })).toBe('list');
});
