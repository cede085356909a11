/**
 * Routes requests of the API server to the leader: a Service without a selector, whose only endpoint the leader writes. The
 * other replicas do not know the demand and get no requests (docs/adr/0005).
 */
import { isIPv6 } from 'node:net';
import type { KubeObject, OwnerReference, ResourceType } from '../kube/object.ts';
import { ENDPOINT_SLICES, ENDPOINTS, SERVICES } from '../kube/resource-types.ts';

export const METRICS_SERVICE_NAME = 'vllm-operator-metrics-api';

/** Port of the Service. */
export const METRICS_SERVICE_PORT = 443;

const PORT_NAME = 'https';

/** DNS names of the Service for its certificate. API servers verify the first one. */
export function metricsDnsNames(namespace: string, name = METRICS_SERVICE_NAME): [string, ...string[]] {
  return [`${name}.${namespace}.svc`, `${name}.${namespace}`, `${name}.${namespace}.svc.cluster.local`];
}

export interface LeaderEndpointInput {
  namespace: string;
  /** Name of the Service. */
  name: string;
  /** Address at which the API server reaches this process: the pod IP. */
  address: string;
  port: number;
  /** A cluster-scoped object of the installation, with which they go. Helm did not create them, so it does not delete them. */
  owner?: OwnerReference | undefined;
}

interface Manifest extends KubeObject {
  [field: string]: unknown;
}

/** The objects that direct requests to this process, with their types, in apply order. */
export function leaderEndpointManifests(
  input: LeaderEndpointInput,
): { type: ResourceType; object: Manifest }[] {
  const { namespace, name, address, port, owner } = input;
  const labels = {
    'app.kubernetes.io/name': 'vllm-operator',
    'app.kubernetes.io/component': 'metrics-api',
    'app.kubernetes.io/managed-by': 'vllm-operator',
  };
  const metadata = { name, namespace, labels, ...(owner && { ownerReferences: [owner] }) };
  const family = isIPv6(address) ? 'IPv6' : 'IPv4';
  return [
    {
      type: SERVICES,
      object: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata,
        spec: {
          type: 'ClusterIP',
          ports: [{ name: PORT_NAME, port: METRICS_SERVICE_PORT, targetPort: port, protocol: 'TCP' }],
        },
      },
    },
    {
      type: ENDPOINT_SLICES,
      object: {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          ...metadata,
          name: `${name}-${family.toLowerCase()}`,
          labels: {
            ...labels,
            'kubernetes.io/service-name': name,
            'endpointslice.kubernetes.io/managed-by': 'vllm-operator.dev',
          },
        },
        addressType: family,
        endpoints: [{ addresses: [address], conditions: { ready: true, serving: true, terminating: false } }],
        ports: [{ name: PORT_NAME, port, protocol: 'TCP' }],
      },
    },
    {
      type: ENDPOINTS,
      object: {
        apiVersion: 'v1',
        kind: 'Endpoints',
        // Prevents mirroring to a second slice, because the slice above already exists.
        metadata: {
          ...metadata,
          labels: { ...labels, 'endpointslice.kubernetes.io/skip-mirror': 'true' },
        },
        subsets: [{ addresses: [{ ip: address }], ports: [{ name: PORT_NAME, port, protocol: 'TCP' }] }],
      },
    },
  ];
}
