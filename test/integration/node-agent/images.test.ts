import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CONFIG_MAPS } from '../../../operator/kube/resource-types.ts';
import { TestCluster } from './support/test-cluster.ts';

let cluster: TestCluster;
let namespace: string;

beforeAll(async () => {
  cluster = await TestCluster.start({ engineEnv: { VLLM_SIM_TIME_SCALE: '0.01' } });
  namespace = await cluster.namespace('images');
});
afterAll(() => cluster.close());

test('a redis image is this machine’s redis-server, on the pod’s address and with the pod’s files', async () => {
  const password = createHash('sha256').update('secret').digest('hex');
  await cluster.client.create(CONFIG_MAPS, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace, name: 'redis' },
    data: {
      'redis.conf': 'port 6379\nsave ""\naclfile /etc/redis/users.acl\n',
      'users.acl': `user default off\nuser router on #${password} ~* +@all\n`,
    },
  } as never);
  await cluster.createPod(namespace, 'redis', {
    containers: [
      {
        name: 'redis',
        image: 'docker.io/library/redis:7.4',
        args: ['redis-server', '/etc/redis/redis.conf'],
        readinessProbe: { tcpSocket: { port: 6379 }, periodSeconds: 1 },
        volumeMounts: [{ name: 'config', mountPath: '/etc/redis' }],
      },
    ],
    volumes: [{ name: 'config', configMap: { name: 'redis' } }],
  });
  const pod = await cluster.ready(namespace, 'redis');

  const socket = connect(6379, pod.status?.podIP ?? '');
  socket.write('PING\r\nAUTH router secret\r\nPING\r\nQUIT\r\n');

  expect(await text(socket)).toBe('-NOAUTH Authentication required.\r\n+OK\r\n+PONG\r\n+OK\r\n');
});

test('an image of vLLM is the simulator, on the pod’s address', async () => {
  await cluster.createPod(namespace, 'engine', {
    containers: [
      {
        name: 'engine',
        image: 'vllm/vllm-openai:v0.28.0',
        args: ['Qwen/Qwen2.5-0.5B-Instruct', '--served-model-name', 'small', '--host', '0.0.0.0'],
        readinessProbe: { httpGet: { path: '/health', port: 8000 }, periodSeconds: 1 },
      },
    ],
  });
  const pod = await cluster.ready(namespace, 'engine');

  const answer = await fetch(`http://${pod.status?.podIP}:8000/v1/models`);

  expect(await answer.json()).toMatchObject({ data: [{ id: 'small' }] });
});
