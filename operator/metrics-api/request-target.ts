/** Parses URLs of the metrics API. */
import { withoutTrailing } from '../kube/without-trailing.ts';
import type { AccessAttributes } from './access-reviewer.ts';

export const METRICS_GROUP = 'external.metrics.k8s.io';
export const METRICS_VERSION = 'v1beta1';
export const METRICS_GROUP_VERSION = `${METRICS_GROUP}/${METRICS_VERSION}`;

export type RequestTarget =
  | { kind: 'health' }
  /** Discovery, OpenAPI and everything else that is not a metric. */
  | { kind: 'path'; path: string }
  | { kind: 'metric'; namespace: string; metric: string; labelSelector: string };

const HEALTH = new Set(['/healthz', '/livez', '/readyz']);
const METRIC = new RegExp(`^/apis/${METRICS_GROUP}/${METRICS_VERSION}/namespaces/([^/]+)/([^/]+)$`);

/** Parses the target of a request; undefined if it is no URL, such as `//`, or cannot be decoded. */
export function requestTarget(url: string): RequestTarget | undefined {
  const parsed = URL.parse(url, 'https://localhost');
  if (!parsed) return undefined;
  const { pathname, searchParams } = parsed;
  const path = pathname.length > 1 ? withoutTrailing(pathname, '/') : pathname;
  if (HEALTH.has(path)) return { kind: 'health' };
  const match = METRIC.exec(path);
  if (!match) return { kind: 'path', path };
  try {
    return {
      kind: 'metric',
      namespace: decodeURIComponent(match[1] ?? ''),
      metric: decodeURIComponent(match[2] ?? ''),
      labelSelector: searchParams.get('labelSelector') ?? '',
    };
  } catch {
    return undefined;
  }
}

/** The RBAC attributes of a request: a metric is a resource to list, everything else a non-resource path. */
export function accessAttributes(target: RequestTarget, method: string): AccessAttributes {
  if (target.kind === 'metric') {
    const verb = method === 'GET' || method === 'HEAD' ? 'list' : method.toLowerCase();
    const { namespace, metric } = target;
    return { namespace, verb, group: METRICS_GROUP, version: METRICS_VERSION, resource: metric };
  }
  return { path: target.kind === 'path' ? target.path : '/', verb: method.toLowerCase() };
}
