/** `vllm-operator run`: runs the operator in a pod or with any kubeconfig. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { API_VERSION } from '../api/common.ts';
import { createOperator } from '../controllers/operator.ts';
import { backoffDelay } from '../kube/backoff.ts';
import { KubeClient } from '../kube/client.ts';
import { sleep } from '../kube/clock.ts';
import { ConnectionConfigError } from '../kube/connection.ts';
import { isKubeError } from '../kube/errors.ts';
import { isInCluster } from '../kube/in-cluster.ts';
import { loadConnection } from '../kube/load-connection.ts';
import { createLogger, type LogLevel } from '../kube/log.ts';
import type { Logger } from '../kube/logger.ts';
import { NAMESPACES } from '../kube/resource-types.ts';
import { Transport } from '../kube/transport.ts';
import { type ImageOptions, imageDefaults } from './image-options.ts';

export interface RunOptions extends ImageOptions {
  kubeconfig?: string;
  context?: string;
  namespace: string;
  probePort: number;
  probeHost?: string;
  leaderElection: boolean;
  /** Address at which the API server reaches the metrics API: the pod IP. If absent, the metrics API is not served. */
  metricsApiAddress?: string;
  metricsApiPort: number;
  logLevel: LogLevel;
}

/** Delays between attempts to reach the API server at start, in milliseconds. */
const BACKOFF = { baseMs: 1_000, capMs: 10_000 };

/** Runs until the signal aborts. Resolves to the exit code. Errors at start are logged with a remedy. */
export async function run(options: RunOptions, signal: AbortSignal): Promise<number> {
  const log = createLogger(options.logLevel);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Exits on any unhandled rejection, because a restart is better than a half-working process.
  process.once('unhandledRejection', (error) => {
    log.error({ err: error }, 'unhandled rejection');
    process.exit(1);
  });

  let transport: Transport | undefined;
  try {
    const connection = await loadConnection({
      ...(options.kubeconfig !== undefined && { kubeconfig: options.kubeconfig }),
      ...(options.context !== undefined && { context: options.context }),
    });
    transport = new Transport({ connection, userAgent: 'vllm-operator', registry });
    const client = new KubeClient(transport, { fieldManager: 'vllm-operator' });
    const { manager } = createOperator({
      client,
      namespace: options.namespace,
      images: imageDefaults(options),
      identity: `${process.env.POD_NAME ?? hostname()}_${randomUUID().slice(0, 8)}`,
      log,
      registry,
      leaderElection: options.leaderElection,
      probePort: options.probePort,
      ...(options.probeHost !== undefined && { probeHost: options.probeHost }),
      prepare: (stopped) =>
        whenAnswered(log, stopped, () => checkCluster(client, options.namespace, log, stopped)),
      exit: (code) => process.exit(code),
      ...(options.metricsApiAddress && {
        metricsApi: { address: options.metricsApiAddress, port: options.metricsApiPort },
      }),
    });
    await manager.run(signal);
    return 0;
  } catch (error) {
    if (signal.aborted) return 0;
    const mistake = mistakeIn(error, options);
    if (mistake) log.error({ error: mistake }, 'the operator cannot start');
    else log.error({ err: error }, 'the operator failed');
    return 1;
  } finally {
    await transport?.close();
  }
}

/** What the user has to change; undefined for other errors, which are logged with a stack trace. */
function mistakeIn(error: unknown, { probePort, metricsApiPort }: RunOptions): string | undefined {
  if (error instanceof ConnectionConfigError) return error.message;
  const { syscall, code, port } = error as NodeJS.ErrnoException & { port?: number };
  if (syscall !== 'listen') return undefined;
  const reason = code === 'EADDRINUSE' ? 'the port is in use' : `the port cannot be used (${code})`;
  const option = port === metricsApiPort && port !== probePort ? '--metrics-api-port' : '--probe-port';
  return `${option} ${port}: ${reason}; choose another port, or 0 for a free one`;
}

/**
 * Retries until the API server responds. A starting API server rejects everything until it has loaded its roles. If this
 * process exited instead, the kubelet's restart backoff would keep it down for minutes after the server is back.
 */
async function whenAnswered(log: Logger, signal: AbortSignal, check: () => Promise<void>): Promise<void> {
  for (let failures = 0; ; failures++) {
    try {
      return await check();
    } catch (error) {
      if (!isKubeError(error) || !(error.retryable || error.code === 'Forbidden')) throw error;
      log.warn({ error: error.message }, 'the API server does not let the operator start yet; trying again');
      await sleep(backoffDelay(failures, { ...BACKOFF, random: Math.random }), { signal });
    }
  }
}

/** Reports missing CRDs and permissions early and once. Otherwise they would only appear as watches that never sync. */
async function checkCluster(
  client: KubeClient,
  namespace: string,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  try {
    await client.get(NAMESPACES, { name: namespace }, { signal });
  } catch (error) {
    if (!isKubeError(error, 'NotFound')) throw error;
    if (isInCluster(process.env)) throw error;
    await client.create(
      NAMESPACES,
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
      { signal },
    );
    log.info({ namespace }, 'created the namespace for the operator');
  }
  try {
    await client.raw({ path: `/apis/${API_VERSION}`, signal });
  } catch (error) {
    if (!isKubeError(error, 'NotFound')) throw error;
    log.warn(
      { remedy: 'kubectl apply --server-side -f crds/' },
      'the CustomResourceDefinitions are not installed yet; waiting for them',
    );
  }
}
