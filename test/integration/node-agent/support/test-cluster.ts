import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { type Cluster, type ClusterOptions, startCluster } from '../../../../hack/devcluster/cluster.ts';
import type { Container, Pod, PodSpec } from '../../../../hack/devcluster/kinds.ts';
import { isReady } from '../../../../hack/devcluster/node/pod.ts';
import { KubeClient } from '../../../../operator/kube/client.ts';
import { connectionTo } from '../../../../operator/kube/connection.ts';
import { isKubeError } from '../../../../operator/kube/errors.ts';
import type { KubeObject, ResourceType } from '../../../../operator/kube/object.ts';
import { NAMESPACES, PODS } from '../../../../operator/kube/resource-types.ts';
import { Transport } from '../../../../operator/kube/transport.ts';

const SERVER = fileURLToPath(new URL('./pod-server.ts', import.meta.url));

/** A cluster for one test file, its waits ten times as short. */
export class TestCluster {
  readonly cluster: Cluster;
  readonly client: KubeClient;
  readonly #transport: Transport;

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.#transport = new Transport({ connection: connectionTo({ server: cluster.url }) });
    this.client = new KubeClient(this.#transport, { fieldManager: 'test' });
  }

  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    return new TestCluster(await startCluster({ timeScale: 0.1, ...options }));
  }

  async close(): Promise<void> {
    await this.#transport.close();
    await this.cluster.close();
  }

  /** Creates a namespace and returns its name. */
  async namespace(name: string): Promise<string> {
    await this.client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    return name;
  }

  async get<T extends KubeObject>(
    type: ResourceType,
    namespace: string,
    name: string,
  ): Promise<T | undefined> {
    try {
      return await this.client.get<T>(type, { namespace, name });
    } catch (error) {
      if (isKubeError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  /** Waits until the object looks like this, and returns it. */
  async until<T extends KubeObject>(
    type: ResourceType,
    namespace: string,
    name: string,
    expected: object,
  ): Promise<T> {
    await expect.poll(() => this.get(type, namespace, name)).toMatchObject(expected);
    return this.client.get<T>(type, { namespace, name });
  }

  async gone(type: ResourceType, namespace: string, name: string): Promise<void> {
    await expect.poll(() => this.get(type, namespace, name)).toBeUndefined();
  }

  async createPod(
    namespace: string,
    name: string,
    spec: Partial<PodSpec>,
    labels: Record<string, string> = {},
  ): Promise<Pod> {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name, labels }, spec } as Pod;
    return this.client.create<Pod>(PODS, pod);
  }

  async ready(namespace: string, name: string): Promise<Pod> {
    await expect
      .poll(async () => {
        const pod = await this.get<Pod>(PODS, namespace, name);
        return pod !== undefined && isReady(pod);
      })
      .toBe(true);
    return this.client.get<Pod>(PODS, { namespace, name });
  }

  /** What the container has printed so far. */
  async log(
    namespace: string,
    pod: string,
    query: Record<string, string | number | boolean> = {},
  ): Promise<string> {
    return (await this.client.raw({ path: `/api/v1/namespaces/${namespace}/pods/${pod}/log`, query })).text;
  }
}

/** A container that runs pod-server.ts on port 8000 of the pod, and is ready when it listens. */
export function server(container: Partial<Container> = {}): Container {
  return {
    name: 'main',
    image: 'node:24',
    command: ['node', SERVER],
    ports: [{ name: 'http', containerPort: 8000 }],
    readinessProbe: { tcpSocket: { port: 'http' }, periodSeconds: 1 },
    ...container,
    env: [
      { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      ...(container.env ?? []),
    ],
  };
}

/** Sends a request to a pod's server and returns the body of the answer. */
export async function call(pod: Pod, path: string, method = 'GET'): Promise<string> {
  const response = await fetch(`http://${pod.status?.podIP}:8000${path}`, { method });
  return response.text();
}

/** A Deployment of pods that run the server. */
export function deploymentOf(namespace: string, name: string, replicas: number, spec: Partial<PodSpec> = {}) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace, name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [server()], ...spec } },
    },
  };
}
