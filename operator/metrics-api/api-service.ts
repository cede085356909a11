/** The APIService of the external metrics API. There is only one per cluster, so it may belong to another server. */
import type { KubeObject, OwnerReference } from '../kube/object.ts';

const GROUP = 'external.metrics.k8s.io';
const VERSION = 'v1beta1';

export const API_SERVICE_NAME = `${VERSION}.${GROUP}`;

/** Priorities among API groups. Other adapters use the same, and nothing depends on them. */
const PRIORITY = 100;

interface ApiServiceCondition {
  type: string;
  status: string;
  lastTransitionTime?: string;
  reason?: string;
  message?: string;
}

export interface ApiService extends KubeObject {
  spec: {
    group?: string;
    version?: string;
    service?: { namespace?: string; name?: string; port?: number } | null;
    caBundle?: string;
    insecureSkipTLSVerify?: boolean;
    groupPriorityMinimum?: number;
    versionPriority?: number;
  };
  status?: { conditions?: ApiServiceCondition[] };
}

/** The Service through which the API server reaches this operator. */
export interface ServiceReference {
  namespace: string;
  name: string;
  port: number;
}

export interface ApiServiceInput {
  service: ServiceReference;
  /** PEM of the CAs that sign the serving certificate, now and next. */
  trustBundle: string;
  /** A cluster-scoped owner. Without one, an APIService left behind after uninstalling would break API discovery. */
  owner?: OwnerReference | undefined;
}

/** The desired APIService. */
export function desiredApiService({ service, trustBundle, owner }: ApiServiceInput): ApiService {
  return {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: {
      name: API_SERVICE_NAME,
      labels: {
        'app.kubernetes.io/name': 'vllm-operator',
        'app.kubernetes.io/component': 'metrics-api',
        'app.kubernetes.io/managed-by': 'vllm-operator',
      },
      ...(owner && { ownerReferences: [owner] }),
    },
    spec: {
      group: GROUP,
      version: VERSION,
      service: { namespace: service.namespace, name: service.name, port: service.port },
      caBundle: Buffer.from(trustBundle).toString('base64'),
      groupPriorityMinimum: PRIORITY,
      versionPriority: PRIORITY,
    },
  };
}

/** Who serves external.metrics.k8s.io. */
export type ApiServiceState =
  | { owner: 'absent' }
  | {
      owner: 'ours';
      /** Whether the API server can reach this operator; undefined before its first check. */
      available: boolean | undefined;
      /** Since when, in milliseconds since 1970. */
      since: number | undefined;
      message: string;
    }
  | {
      owner: 'foreign';
      /** Who serves it, as `namespace/name` of a Service. */
      by: string;
    }
  /** Not read yet, or unreadable. */
  | { owner: 'unknown'; message: string }
  /** This operator does not serve metrics. */
  | { owner: 'off'; message: string };

/** The Service decides who owns the APIService, because anyone can copy labels. */
export function examineApiService(
  live: ApiService | undefined,
  ours: Pick<ServiceReference, 'namespace' | 'name'>,
): ApiServiceState {
  if (!live) return { owner: 'absent' };
  const { service } = live.spec;
  if (!service) return { owner: 'foreign', by: 'the API server itself' };
  if (service.namespace !== ours.namespace || service.name !== ours.name)
    return { owner: 'foreign', by: `${service.namespace}/${service.name}` };
  const condition = live.status?.conditions?.find(({ type }) => type === 'Available');
  const since = Date.parse(condition?.lastTransitionTime ?? '');
  return {
    owner: 'ours',
    available: condition?.status === 'True' ? true : condition?.status === 'False' ? false : undefined,
    since: Number.isNaN(since) ? undefined : since,
    message: condition?.message ?? '',
  };
}
