import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeClient } from '../../operator/kube/client.ts';
import { connectionTo } from '../../operator/kube/connection.ts';
import { EventRecorder } from '../../operator/kube/events.ts';
import { type Logger, silentLogger } from '../../operator/kube/logger.ts';
import { Transport } from '../../operator/kube/transport.ts';
import { startApiServer } from './apiserver/start-api-server.ts';
import { SharedStores } from './controllers/shared-stores.ts';
import { startControllers } from './controllers/start-controllers.ts';
import { ServiceNetwork } from './network/service-network.ts';
import { AddressRange } from './node/address-range.ts';
import { engineImage } from './node/images/engine-image.ts';
import type { ImageHandler } from './node/images/image-handler.ts';
import { redisImage } from './node/images/redis-image.ts';
import { routerImage } from './node/images/router-image.ts';
import { pauseImage, shellImage } from './node/images/shell-image.ts';
import { NodeAgent } from './node/node-agent.ts';
import { DEFAULT_NODES, type NodeSpec, nodesWith } from './node/node-spec.ts';
import { openPodLog } from './node/pod-logs.ts';
import { PodSources } from './node/pod-sources.ts';
import { registerNodes } from './node/register-nodes.ts';
import { realTiming } from './node/timing.ts';
import { Watchdog } from './node/watchdog.ts';

export interface ClusterOptions {
  /** Default: machines for all examples, see {@link DEFAULT_NODES}. */
  nodes?: readonly NodeSpec[];
  /**
   * Instead of `nodes`: a machine without accelerators, and one per entry, of a product as `nvidia.com/gpu.product` has
   * it, such as `{'NVIDIA-L4': 2}`.
   */
  gpus?: Readonly<Record<string, number>>;
  /** Factor on probe periods, initial delays, preStop sleeps and back-off; 0.1 is ten times as fast. Default 1. */
  timeScale?: number;
  /** How often autoscalers are synced. Default 15 s, as in kube-controller-manager. */
  autoscalerPeriodMs?: number;
  /** Environment of every engine, such as `VLLM_SIM_*`. */
  engineEnv?: Record<string, string>;
  /** A real `vllm` to run engines with, instead of the simulator. */
  vllm?: string;
  /** Handlers for further images; they come before the built-in ones. */
  images?: readonly ImageHandler[];
  /** Port of the API server's plain listener. Default: the system chooses. */
  port?: number;
  log?: Logger;
  /** Closes the cluster when aborted. */
  signal?: AbortSignal;
}

/** A running development cluster. */
export interface Cluster {
  /** kubeconfig of an administrator. */
  kubeconfigPath: string;
  /** The API over plain HTTP, as an administrator. */
  url: string;
  /** Directory with all files of the cluster; removed when the cluster closes. */
  directory: string;
  /** Ends all processes and removes the directory. */
  close(): Promise<void>;
}

/**
 * Starts a small Kubernetes: API server, controllers, and a node agent that runs pods as processes of this machine.
 * All of it ends with {@link Cluster.close}; its processes also end when this process dies in any other way.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  options.signal?.throwIfAborted();
  const log = options.log ?? silentLogger;
  const stop = new AbortController();
  // Closed in reverse order.
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    stop.abort();
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const cluster = await start(options, log, stop.signal, closers);
    const closed = once(close);
    options.signal?.addEventListener('abort', () => void closed(), { once: true });
    return { ...cluster, close: closed };
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  options: ClusterOptions,
  log: Logger,
  signal: AbortSignal,
  closers: (() => Promise<unknown>)[],
): Promise<Omit<Cluster, 'close'>> {
  const addresses = await AddressRange.claim();
  closers.push(() => addresses.close());
  const directory = await mkdtemp(join(tmpdir(), 'devcluster-'));
  const watchdog = new Watchdog(directory);
  closers.push(() => watchdog.close());

  const api = await startApiServer({ port: options.port ?? 0, serviceCidr: addresses.serviceCidr });
  closers.push(() => api.close());
  const kubeconfigPath = join(directory, 'kubeconfig');
  await writeFile(kubeconfigPath, api.adminKubeconfig(), { mode: 0o600 });

  const manager = clientOf('kube-controller-manager', api.url, closers);
  const kubelet = clientOf('kubelet', api.url, closers);
  const eventsFor = (client: KubeClient, controller: string): EventRecorder => {
    const recorder = new EventRecorder({ client, controller, instance: 'devcluster', log });
    const running = recorder.run(signal);
    closers.push(() => running);
    return recorder;
  };

  const nodes = options.nodes ?? (options.gpus ? nodesWith(options.gpus) : DEFAULT_NODES);
  await registerNodes(kubelet, nodes, addresses.hostIp, signal);
  const stores = new SharedStores(manager, log);
  await stores.start(signal);

  await mkdir(join(directory, 'pods'));
  const agent = new NodeAgent({
    client: kubelet,
    nodes: new Set(nodes.map((node) => node.name)),
    addresses,
    directory,
    images: [...(options.images ?? []), ...builtinImages(options)],
    sources: new PodSources({ client: kubelet, configMaps: stores.configMaps, secrets: stores.secrets }),
    baseEnv: baseEnvironment(api.secureUrl),
    timing: realTiming(options.timeScale),
    watchdog,
    events: eventsFor(kubelet, 'kubelet'),
    log,
  });
  closers.push(() => agent.close());
  api.servePodLogs((request, aborted) => openPodLog(agent, request, aborted));
  agent.start(stores.pods, stores.configMaps, stores.secrets);

  const network = new ServiceNetwork({ services: stores.services, slices: stores.endpointSlices, log });
  closers.push(() => network.close());
  network.start();

  const events = eventsFor(manager, 'kube-controller-manager');
  const controllers = startControllers(
    { client: manager, stores, events, log, now: () => new Date() },
    {
      autoscalerPeriodMs: options.autoscalerPeriodMs ?? 15_000,
      schedulerEvents: eventsFor(manager, 'default-scheduler'),
    },
    signal,
  );
  closers.push(() => controllers);
  return { kubeconfigPath, url: api.url, directory };
}

function clientOf(fieldManager: string, server: string, closers: (() => Promise<unknown>)[]): KubeClient {
  const transport = new Transport({ connection: connectionTo({ server }), userAgent: fieldManager });
  closers.push(() => transport.close());
  return new KubeClient(transport, { fieldManager });
}

function builtinImages({ vllm, engineEnv, timeScale }: ClusterOptions): ImageHandler[] {
  const engine = engineImage({
    ...(vllm === undefined ? {} : { vllm }),
    ...(engineEnv ? { env: engineEnv } : {}),
  });
  return [routerImage(timeScale), redisImage, engine, shellImage, pauseImage];
}

/** The variables of this machine that a process needs, and the address of the API server. Nothing else of our environment is passed on. */
function baseEnvironment(apiServer: string): Record<string, string> {
  const { hostname, port } = new URL(apiServer);
  return {
    PATH: process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    KUBERNETES_SERVICE_HOST: hostname,
    KUBERNETES_SERVICE_PORT: port,
  };
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= run();
    return running;
  };
}
