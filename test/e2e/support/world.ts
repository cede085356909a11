/** A whole cluster for one test file: devcluster, our CRDs, operators as processes, and clients of what they serve. */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';
import { type Cluster, type ClusterOptions, startCluster } from '../../../hack/devcluster/cluster.ts';
import { Watchdog } from '../../../hack/devcluster/node/watchdog.ts';
import { type CommandResult, kubectl, tryKubectl } from '../../../hack/kubectl/kubectl.ts';
import {
  INFERENCE_MODELS,
  INFERENCE_POOLS,
  type InferenceModel,
  type InferencePool,
} from '../../../operator/api/types.ts';
import type { Pod } from '../../../operator/controllers/shared/workloads.ts';
import { KubeClient } from '../../../operator/kube/client.ts';
import { findCondition, isTrue } from '../../../operator/kube/conditions.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import { loadConnection } from '../../../operator/kube/load-connection.ts';
import type { KubeObject, ResourceType } from '../../../operator/kube/object.ts';
import { PODS, SERVICES } from '../../../operator/kube/resource-types.ts';
import { Transport } from '../../../operator/kube/transport.ts';
import { installDefinitions } from '../../integration/support/definitions.ts';
import { eventually } from '../../support/eventually.ts';
import { createModel, createNamespace, createPool, type Spec, untilObject } from '../../support/objects.ts';
import { OperatorProcess } from './operator-process.ts';

/** Everything in a cluster happens five times as fast, and a simulated engine loads in 0.2 s. */
const FAST: ClusterOptions = { timeScale: 0.2, engineEnv: { VLLM_SIM_TIME_SCALE: '0.02' } };

export interface WorldOptions extends ClusterOptions {
  /** Further options of `vllm-operator run`. */
  operatorArgs?: readonly string[];
  /** Options of node itself, for the operators. */
  operatorNodeArgs?: readonly string[];
  /** Starts the cluster. Default: in this process. */
  start?: (options: ClusterOptions) => Promise<Cluster>;
  /** Brings the operator into the cluster. Default: definitions, and one operator as a process. */
  install?: (world: World) => Promise<void>;
}

async function installProcess(world: World): Promise<void> {
  await installDefinitions(world.client);
  await world.startOperator().untilLeads();
}

export class World {
  readonly #transport: Transport;
  readonly #watchdog: Watchdog;
  readonly #logs: string;
  readonly #operators: OperatorProcess[] = [];
  readonly #operatorArgs: readonly string[];
  readonly #operatorNodeArgs: readonly string[];
  readonly cluster: Cluster;
  readonly client: KubeClient;

  private constructor(
    cluster: Cluster,
    transport: Transport,
    { operatorArgs = [], operatorNodeArgs = [] }: Pick<WorldOptions, 'operatorArgs' | 'operatorNodeArgs'>,
  ) {
    this.cluster = cluster;
    this.#operatorArgs = operatorArgs;
    this.#operatorNodeArgs = operatorNodeArgs;
    this.#transport = transport;
    this.client = new KubeClient(transport, { fieldManager: 'test' });
    this.#logs = join(cluster.directory, 'operators');
    mkdirSync(this.#logs);
    this.#watchdog = new Watchdog(this.#logs);
  }

  /** A cluster with the operator in it. */
  static async start({
    operatorArgs,
    operatorNodeArgs,
    start = startCluster,
    install = installProcess,
    ...options
  }: WorldOptions = {}): Promise<World> {
    const cluster = await start({
      ...FAST,
      ...options,
      engineEnv: { ...FAST.engineEnv, ...options.engineEnv },
    });
    const connection = await loadConnection({ kubeconfig: cluster.kubeconfigPath });
    const world = new World(cluster, new Transport({ connection, userAgent: 'test' }), {
      ...(operatorArgs && { operatorArgs }),
      ...(operatorNodeArgs && { operatorNodeArgs }),
    });
    try {
      await install(world);
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  /** One more operator; it waits for the leader to go, if there is one. */
  startOperator(): OperatorProcess {
    const name = `operator-${this.#operators.length}`;
    const operator = new OperatorProcess(
      this.cluster.kubeconfigPath,
      this.#logs,
      name,
      this.#watchdog,
      this.#operatorArgs,
      this.#operatorNodeArgs,
    );
    this.#operators.push(operator);
    return operator;
  }

  /** The operators that run now, oldest first. */
  get operators(): OperatorProcess[] {
    return this.#operators.filter(({ running }) => running);
  }

  /** What operators logged as errors, those included that have ended. */
  async errors(): Promise<string[]> {
    return (await Promise.all(this.#operators.map((operator) => operator.errors()))).flat();
  }

  /** A namespace of this test's own. */
  async namespace(labels: Record<string, string> = {}): Promise<string> {
    const name = `test-${randomUUID().slice(0, 8)}`;
    await createNamespace(this.client, name, labels);
    return name;
  }

  async createPool(namespace: string, spec: Spec = {}, name = 'pool'): Promise<InferencePool> {
    return await createPool(this.client, namespace, name, { accelerator: { type: 'L4' }, ...spec });
  }

  async createModel(namespace: string, name: string, spec: Spec = {}): Promise<InferenceModel> {
    const model = { source: 'hf://Qwen/Qwen2.5-0.5B-Instruct' };
    return await createModel(this.client, namespace, name, { model, ...spec });
  }

  async patchModel(namespace: string, name: string, spec: Spec): Promise<InferenceModel> {
    return await this.client.patch(INFERENCE_MODELS, { namespace, name }, { merge: { spec } });
  }

  /** The object once it satisfies the predicate. */
  async until<T extends KubeObject>(
    type: ResourceType,
    namespace: string | undefined,
    name: string,
    what: string,
    predicate: (object: T) => boolean | undefined,
  ): Promise<T> {
    return await untilObject<T>(this.client, type, { namespace, name }, what, predicate);
  }

  async untilGone(type: ResourceType, namespace: string, name: string): Promise<void> {
    await eventually(`${type.kind} ${namespace}/${name} is gone`, async () => {
      try {
        await this.client.get(type, { namespace, name });
        return false;
      } catch (error) {
        if (isKubeError(error, 'NotFound')) return true;
        throw error;
      }
    });
  }

  /** The model, once its present spec is settled: Ready and nothing under way. */
  async modelReady(namespace: string, name: string): Promise<InferenceModel> {
    return await this.until(INFERENCE_MODELS, namespace, name, 'is ready', isSettled<InferenceModel>);
  }

  /** The pool, once its present spec is settled. */
  async poolReady(namespace: string, name = 'pool'): Promise<InferencePool> {
    return await this.until(INFERENCE_POOLS, namespace, name, 'is ready', isSettled<InferencePool>);
  }

  async modelCondition(
    namespace: string,
    name: string,
    type: string,
    status: string,
    reason?: string,
  ): Promise<InferenceModel> {
    const what = `has ${type}=${status} ${reason ?? ''}`;
    return await this.until<InferenceModel>(INFERENCE_MODELS, namespace, name, what, (model) => {
      const condition = findCondition(model.status?.conditions, type);
      if (condition?.status !== status || condition.observedGeneration !== model.metadata.generation)
        return false;
      return reason === undefined || condition.reason === reason;
    });
  }

  async pods(namespace: string, component: string, model?: string): Promise<Pod[]> {
    const labelSelector = `app.kubernetes.io/component=${component}${model === undefined ? '' : `,vllm-operator.dev/model=${model}`}`;
    return (await this.client.list<Pod>(PODS, { namespace, labelSelector })).items;
  }

  /** Where clients in the cluster reach the OpenAI API of a pool. */
  async url(namespace: string, pool = 'pool'): Promise<string> {
    const labelSelector = `app.kubernetes.io/component=router,vllm-operator.dev/pool=${pool}`;
    const { items } = await this.client.list<
      KubeObject & { spec: { clusterIP: string; ports: { name: string; port: number }[] } }
    >(SERVICES, { namespace, labelSelector });
    const spec = items[0]?.spec;
    const port = spec?.ports.find(({ name }) => name === 'http')?.port;
    if (!spec || port === undefined) throw new Error(`pool ${namespace}/${pool} has no router Service`);
    return `http://${spec.clusterIP}:${port}/v1`;
  }

  /** A client that repeats nothing by itself, so that every failure is seen. */
  async openai(namespace: string, pool = 'pool'): Promise<OpenAI> {
    return new OpenAI({ baseURL: await this.url(namespace, pool), apiKey: 'none', maxRetries: 0 });
  }

  async kubectl(...args: string[]): Promise<string> {
    return await kubectl(args, { kubeconfig: this.cluster.kubeconfigPath });
  }

  async tryKubectl(...args: string[]): Promise<CommandResult> {
    return await tryKubectl(args, { kubeconfig: this.cluster.kubeconfigPath });
  }

  /** Ends every process. */
  async close(): Promise<void> {
    await Promise.all(this.operators.map((operator) => operator.stop('SIGKILL')));
    await this.#transport.close();
    await this.cluster.close();
    await this.#watchdog.close();
  }
}

function isSettled<T extends InferenceModel | InferencePool>({ metadata, status }: T): boolean {
  const conditions = status?.conditions;
  return (
    status?.observedGeneration === metadata.generation &&
    isTrue(conditions, 'Ready') &&
    findCondition(conditions, 'Reconciling')?.status === 'False'
  );
}
