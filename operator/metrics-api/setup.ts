/** Sets up the external metrics API: its permissions and its parts. */
import type { Registry } from 'prom-client';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import type { Permission } from '../kube/permission.ts';
import { API_SERVICES, CLUSTER_ROLES, ENDPOINT_SLICES, ENDPOINTS } from '../kube/resource-types.ts';
import { certificateExpiry } from '../pki/certificate-expiry.ts';
import { CertificateRotator } from '../pki/certificate-rotator.ts';
import type { Identity } from '../pki/identity.ts';
import { issueServingCertificate } from '../pki/pki.ts';
import { REVIEW_CONNECTIONS } from './access-reviewer.ts';
import { API_SERVICE_NAME } from './api-service.ts';
import { ExternalMetricsApi, type ExternalMetricsApiOptions } from './external-metrics-api.ts';
import { METRICS_SERVICE_NAME, metricsDnsNames } from './leader-endpoint.ts';

/** Owner of the APIService (manifests/install.yaml). It is deleted on uninstall, and the registration with it. */
export const OWNER_CLUSTER_ROLE = 'vllm-operator';

export const METRICS_API_PERMISSIONS: readonly Permission[] = [
  // The APIService, owned by the operator's ClusterRole, and the right to read the metrics.
  { type: API_SERVICES, verbs: ['create'] },
  { type: API_SERVICES, verbs: ['get', 'patch'], names: [API_SERVICE_NAME] },
  { type: CLUSTER_ROLES, verbs: ['get'], names: [OWNER_CLUSTER_ROLE] },
  { type: { group: 'authentication.k8s.io', plural: 'tokenreviews' }, verbs: ['create'] },
  { type: { group: 'authorization.k8s.io', plural: 'subjectaccessreviews' }, verbs: ['create'] },
  // The endpoint of the leader.
  { type: ENDPOINTS, verbs: ['create'], ownNamespace: true },
  { type: ENDPOINTS, verbs: ['get', 'patch'], names: [METRICS_SERVICE_NAME], ownNamespace: true },
  { type: ENDPOINT_SLICES, verbs: ['create'], ownNamespace: true },
  {
    type: ENDPOINT_SLICES,
    verbs: ['get', 'patch'],
    names: ['ipv4', 'ipv6'].map((family) => `${METRICS_SERVICE_NAME}-${family}`),
    ownNamespace: true,
  },
];

/** Address at which the API server reaches this process. */
export interface MetricsApiAddress {
  /** The pod IP. */
  address: string;
  /** 0 selects a free port. */
  port: number;
  /** Address to listen on. Default: all. */
  host?: string;
}

export interface MetricsApiContext {
  client: KubeClient;
  operatorNamespace: string;
  identity: Identity;
  clock: Clock;
  log: Logger;
  registry: Registry;
}

/** The server and its registration. Runs on the leader. */
export function setupMetricsApi(
  { operatorNamespace: namespace, identity, clock, client, log, registry }: MetricsApiContext,
  address: MetricsApiAddress,
  events: Required<Pick<ExternalMetricsApiOptions, 'source' | 'onChange'>>,
): ExternalMetricsApi {
  const now = () => new Date(clock.now());
  const dnsNames = metricsDnsNames(namespace);
  const expiry = certificateExpiry(registry, 'metrics-api', clock);
  const certificates = new CertificateRotator({
    issue: (authority) => issueServingCertificate(authority, { dnsNames }, { now: now() }),
    now,
    onIssued: expiry.issued,
  });
  return new ExternalMetricsApi({
    client,
    reviews: client.withOwnConnections(REVIEW_CONNECTIONS),
    log,
    registry,
    clock,
    namespace,
    ...address,
    certificate: async (signal) => {
      expiry.wanted();
      return await certificates.get(await identity.load(signal));
    },
    trustBundle: async (signal) => (await identity.authority(signal)).trustBundle,
    ownerClusterRole: OWNER_CLUSTER_ROLE,
    ...events,
  });
}
