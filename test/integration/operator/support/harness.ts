/** The operator in this process, against the API server of the environment. */
import { randomUUID } from 'node:crypto';
import { Registry } from 'prom-client';
import {
  INFERENCE_MODELS,
  INFERENCE_POOLS,
  type InferenceModel,
  type InferencePool,
} from '../../../../operator/api/types.ts';
import { createOperator } from '../../../../operator/controllers/operator.ts';
import type { Deployment } from '../../../../operator/controllers/shared/workloads.ts';
import { KubeClient } from '../../../../operator/kube/client.ts';
import { type Clock, sleep, systemClock } from '../../../../operator/kube/clock.ts';
import { findCondition } from '../../../../operator/kube/conditions.ts';
import { loadConnection } from '../../../../operator/kube/load-connection.ts';
import { silentLogger } from '../../../../operator/kube/logger.ts';
import type { KubeObject, ResourceType } from '../../../../operator/kube/object.ts';
import { DEPLOYMENTS, NAMESPACES } from '../../../../operator/kube/resource-types.ts';
import { Transport } from '../../../../operator/kube/transport.ts';
import { eventually } from '../../../support/eventually.ts';
import {
  createModel,
  createNamespace,
  createPool,
  type Spec,
  untilObject,
} from '../../../support/objects.ts';
import { startTestApiServer, type TestApiServer } from '../../support/api-server.ts';
import { installDefinitions } from '../../support/definitions.ts';

/** One running operator. */
export interface RunningOperator {
  /** Requests so far that change something, without renewals of the Lease. */
  writes(): Promise<number>;
  isLeader(): boolean;
  /** Its metrics, in Prometheus' text format. */
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

export class Harness {
  readonly #server: TestApiServer;
  readonly #transport: Transport;
  readonly #operators = new Set<RunningOperator>();
  readonly #namespaces: string[] = [];
  readonly client: KubeClient;
  /** Where operators of this harness keep Lease and root key. */
  readonly operatorNamespace: string;

  private constructor(server: TestApiServer, transport: Transport) {
    this.#server = server;
    this.#transport = transport;
    this.client = new KubeClient(transport, { fieldManager: 'test' });
    this.operatorNamespace = `operator-${randomUUID().slice(0, 8)}`;
  }

  /** An API server with the CRDs installed. */
  static async start(): Promise<Harness> {
    const server = await startTestApiServer();
    const transport = new Transport({
      connection: await loadConnection({ kubeconfig: server.kubeconfig }),
      userAgent: 'test',
    });
    const harness = new Harness(server, transport);
    await installDefinitions(harness.client);
    await harness.#createNamespace(harness.operatorNamespace);
    return harness;
  }

  /** A namespace of this test's own. */
  async namespace(labels: Record<string, string> = {}): Promise<string> {
    return await this.#createNamespace(`test-${randomUUID().slice(0, 8)}`, labels);
  }

  /** @param clock of the operator; default: that of this machine */
  async startOperator(clock: Clock = systemClock): Promise<RunningOperator> {
    const registry = new Registry();
    const connection = await loadConnection({ kubeconfig: this.#server.kubeconfig });
    const transport = new Transport({ connection, userAgent: 'vllm-operator', registry });
    const stop = new AbortController();
    const { manager } = createOperator({
      client: new KubeClient(transport, { fieldManager: 'vllm-operator' }),
      namespace: this.operatorNamespace,
      identity: `operator-${randomUUID().slice(0, 8)}`,
      log: silentLogger,
      registry,
      clock,
      leaderElection: true,
      probePort: 0,
      probeHost: '127.0.0.1',
      exit: () => stop.abort(),
    });
    const running = manager.run(stop.signal);
    const operator: RunningOperator = {
      writes: async () => {
        const metrics = await registry.getSingleMetric('rest_client_requests_total')?.get();
        // Leases are the only objects that are replaced as a whole.
        const writes =
          metrics?.values.filter(({ labels }) => !['GET', 'PUT'].includes(String(labels.method))) ?? [];
        return writes.reduce((sum, { value }) => sum + value, 0);
      },
      isLeader: () => manager.isLeader,
      metrics: async () => await registry.metrics(),
      stop: async () => {
        this.#operators.delete(operator);
        stop.abort();
        await running;
        await transport.close();
      },
    };
    this.#operators.add(operator);
    return operator;
  }

  async createPool(namespace: string, spec: Spec = {}, name = 'pool'): Promise<InferencePool> {
    return await createPool(this.client, namespace, name, { accelerator: { type: 'A100' }, ...spec });
  }

  async createModel(namespace: string, name: string, spec: Spec = {}): Promise<InferenceModel> {
    const model = { source: 'hf://mistralai/Mistral-7B-Instruct-v0.3' };
    return await createModel(this.client, namespace, name, { model, ...spec });
  }

  /** The object once it satisfies the predicate. */
  async until<T extends KubeObject>(
    type: ResourceType,
    namespace: string,
    name: string,
    what: string,
    predicate: (object: T) => boolean,
  ): Promise<T> {
    return await untilObject<T>(this.client, type, { namespace, name }, what, predicate);
  }

  async untilCondition(
    namespace: string,
    name: string,
    type: string,
    status: string,
    reason?: string,
  ): Promise<InferenceModel> {
    return await this.until<InferenceModel>(
      INFERENCE_MODELS,
      namespace,
      name,
      `has ${type}=${status} ${reason ?? ''}`,
      (model) => {
        const condition = findCondition(model.status?.conditions, type);
        return (
          condition?.status === status &&
          condition.observedGeneration === model.metadata.generation &&
          (reason === undefined || condition.reason === reason)
        );
      },
    );
  }

  async engine(namespace: string, model: string): Promise<Deployment> {
    return await this.until<Deployment>(DEPLOYMENTS, namespace, `vllm-${model}`, 'exists', () => true);
  }

  /** Resolves once no operator has written anything for a while: what follows starts from rest. */
  async settled(operator: RunningOperator): Promise<number> {
    let last = await operator.writes();
    let same = 0;
    while (same < 4) {
      await sleep(250);
      const now = await operator.writes();
      same = now === last ? same + 1 : 0;
      last = now;
    }
    return last;
  }

  /** The API server's kubeconfig file, for kubectl. */
  get kubeconfig(): string {
    return this.#server.kubeconfig;
  }

  /** Whether a cluster outlives the test, with controllers that start pods. */
  get shared(): boolean {
    return this.#server.shared;
  }

  async close(): Promise<void> {
    if (this.shared) await this.#letPoolsGo();
    for (const operator of [...this.#operators]) await operator.stop();
    if (this.shared) {
      for (const name of this.#namespaces) await this.client.delete(NAMESPACES, { name });
    }
    await this.#transport.close();
    await this.#server.close();
  }

  /** Only a running operator takes its finalizers off: without it the namespaces would never be gone. */
  async #letPoolsGo(): Promise<void> {
    if (this.#operators.size === 0) await this.startOperator();
    for (const namespace of this.#namespaces) {
      for (const type of [INFERENCE_MODELS, INFERENCE_POOLS]) {
        const { items } = await this.client.list(type, { namespace });
        for (const { metadata } of items) await this.client.delete(type, metadata);
      }
    }
    for (const namespace of this.#namespaces) {
      await eventually(
        `the pools of ${namespace} are gone`,
        async () => (await this.client.list(INFERENCE_POOLS, { namespace })).items.length === 0,
      );
    }
  }

  async #createNamespace(name: string, labels: Record<string, string> = {}): Promise<string> {
    await createNamespace(this.client, name, labels);
    this.#namespaces.push(name);
    return name;
  }
}
