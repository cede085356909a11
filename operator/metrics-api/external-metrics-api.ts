/** Serves and registers the external metrics API while this process leads, unless another server is registered. */
import { isDeepStrictEqual } from 'node:util';
import type { Registry } from 'prom-client';
import type { KubeClient } from '../kube/client.ts';
import { type Clock, sleep, systemClock } from '../kube/clock.ts';
import { contains } from '../kube/contains.ts';
import { isKubeError } from '../kube/errors.ts';
import { type Logger, silentLogger } from '../kube/logger.ts';
import type { KubeObject, ObjectKey, OwnerReference, ResourceType } from '../kube/object.ts';
import { API_SERVICES, apiVersionOf, CLUSTER_ROLES } from '../kube/resource-types.ts';
import type { CertificateAndKey } from '../pki/certificates.ts';
import {
  API_SERVICE_NAME,
  type ApiService,
  type ApiServiceState,
  desiredApiService,
  examineApiService,
} from './api-service.ts';
import { leaderEndpointManifests, METRICS_SERVICE_NAME, METRICS_SERVICE_PORT } from './leader-endpoint.ts';
import type { MetricSource } from './metric-values.ts';
import { MetricsApiServer } from './metrics-api-server.ts';

export interface ExternalMetricsApiOptions {
  client: Pick<KubeClient, 'get' | 'apply' | 'create' | 'patch'>;
  /** For reviews of the server's clients. Has `REVIEW_CONNECTIONS` connections that nothing else uses. */
  reviews: Pick<KubeClient, 'raw'>;
  /** Namespace of the operator. */
  namespace: string;
  /** Name of the Service that leads to this process. Default `vllm-operator-metrics-api`. */
  serviceName?: string;
  /** Address at which the API server reaches this process: the pod IP. */
  address: string;
  /** Port to listen on; 0 selects a free one. */
  port: number;
  /** Address to listen on. Default: all. */
  host?: string;
  source: MetricSource;
  /**
   * A certificate for `metricsDnsNames(namespace)`, issued by a CA of the trust bundle. Called often, so it should be
   * cached.
   */
  certificate: (signal: AbortSignal) => Promise<CertificateAndKey>;
  /** PEM of the CAs that API servers have to trust. */
  trustBundle: (signal: AbortSignal) => Promise<string>;
  /** Name of a ClusterRole that is deleted on uninstall, and owns the registration. */
  ownerClusterRole?: string | undefined;
  /** `state()` has changed. */
  onChange?: () => void;
  registry?: Registry | undefined;
  log?: Logger;
  clock?: Clock;
}

/** Interval while everything works, for changes that no watch reports: another adapter that takes over, a new CA. */
const CHECK_MS = 30_000;
/** Interval until the API server has reached this process, or after a failure. */
const RETRY_MS = 3_000;

const FIELD_MANAGER = 'vllm-operator-metrics';

export class ExternalMetricsApi {
  readonly name = 'external metrics API';
  readonly #options: ExternalMetricsApiOptions;
  readonly #service: { namespace: string; name: string; port: number };
  readonly #clock: Clock;
  readonly #log: Logger;
  #server: MetricsApiServer | undefined;
  #state: ApiServiceState = { owner: 'unknown', message: 'this operator is not the leader yet' };

  constructor(options: ExternalMetricsApiOptions) {
    const { namespace, serviceName = METRICS_SERVICE_NAME } = options;
    this.#options = options;
    this.#service = { namespace, name: serviceName, port: METRICS_SERVICE_PORT };
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLogger;
  }

  /** Who serves external.metrics.k8s.io, as last observed. */
  state(): ApiServiceState {
    return this.#state;
  }

  /** Runs on the leader until the signal aborts. The registration stays for the next leader. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        const state = await this.#check(signal);
        if (signal.aborted) return;
        this.#setState(state);
        const settled = state.owner === 'foreign' || (state.owner === 'ours' && state.available === true);
        await sleep(settled ? CHECK_MS : RETRY_MS, { clock: this.#clock, signal }).catch(() => {});
      }
    } finally {
      await this.#server?.stop();
      this.#server = undefined;
    }
  }

  async #check(signal: AbortSignal): Promise<ApiServiceState> {
    try {
      const live = await this.#find<ApiService>(API_SERVICES, { name: API_SERVICE_NAME }, signal);
      const state = examineApiService(live, this.#service);
      if (state.owner === 'foreign') return state;
      const owner = await this.#owner(live, signal);
      await this.#publishEndpoint(await this.#listening(), owner, signal);
      return examineApiService(await this.#register(live, owner, signal), this.#service);
    } catch (error) {
      // Another process registered at the same time. The next check shows which one won.
      if (isKubeError(error, 'AlreadyExists', 'Conflict')) return { owner: 'absent' };
      const reason = error instanceof Error ? error.message : String(error);
      return { owner: 'unknown', message: `the external metrics API cannot be served: ${reason}` };
    }
  }

  /** The port it listens on. Starts the server if necessary. */
  async #listening(): Promise<number> {
    if (!this.#server) {
      const { client, reviews, source, certificate, port, host, registry } = this.#options;
      const server = new MetricsApiServer({
        client,
        reviews,
        source,
        certificate,
        port,
        ...(host !== undefined && { host }),
        registry,
        log: this.#log,
        clock: this.#clock,
      });
      await server.start();
      this.#server = server;
    }
    return this.#server.port;
  }

  async #publishEndpoint(
    port: number,
    owner: OwnerReference | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, address } = this.#options;
    for (const { type, object } of leaderEndpointManifests({ ...this.#service, address, port, owner })) {
      const live = await this.#find(type, object.metadata, signal);
      if (live && contains(live, object)) continue;
      await client.apply(type, object, { fieldManager: FIELD_MANAGER, signal });
    }
  }

  /** Creates a missing registration and corrects the operator's own, but never takes over a foreign one. */
  async #register(
    live: ApiService | undefined,
    owner: OwnerReference | undefined,
    signal: AbortSignal,
  ): Promise<ApiService> {
    const { client, trustBundle } = this.#options;
    const desired = desiredApiService({
      service: this.#service,
      trustBundle: await trustBundle(signal),
      owner,
    });
    const options = { fieldManager: FIELD_MANAGER, signal };
    if (!live) {
      this.#log.info({ name: API_SERVICE_NAME }, 'registering the external metrics API');
      return await client.create(API_SERVICES, desired, options);
    }
    if (contains(live, desired)) return live;
    const { resourceVersion } = live.metadata;
    const merge = { ...desired, metadata: { ...desired.metadata, resourceVersion } };
    return await client.patch<ApiService>(API_SERVICES, { name: API_SERVICE_NAME }, { merge }, options);
  }

  async #owner(live: ApiService | undefined, signal: AbortSignal): Promise<OwnerReference | undefined> {
    const name = this.#options.ownerClusterRole;
    if (name === undefined) return undefined;
    const known = live?.metadata.ownerReferences?.find(
      (owner) => owner.name === name && owner.kind === CLUSTER_ROLES.kind,
    );
    if (known) return known;
    const role = await this.#find(CLUSTER_ROLES, { name }, signal);
    const { uid } = role?.metadata ?? {};
    return uid === undefined
      ? undefined
      : { apiVersion: apiVersionOf(CLUSTER_ROLES), kind: CLUSTER_ROLES.kind, name, uid };
  }

  async #find<T extends KubeObject>(
    type: ResourceType,
    key: ObjectKey,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    const { name, namespace } = key;
    try {
      return await this.#options.client.get<T>(
        type,
        { name, ...(namespace !== undefined && { namespace }) },
        { signal },
      );
    } catch (error) {
      if (isKubeError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  #setState(state: ApiServiceState): void {
    const before = this.#state;
    if (isDeepStrictEqual(before, state)) return;
    this.#state = state;
    if (before.owner !== state.owner || state.owner === 'unknown')
      this.#log.info({ state }, 'owner of the external metrics API changed');
    this.#options.onChange?.();
  }
}
