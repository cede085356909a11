import { VIRTUAL_KINDS } from '../builtin/builtin-resources.ts';
import type { RequestInfo } from '../request-info.ts';
import type { Resource } from '../resource.ts';
import { notImplemented } from '../status-error.ts';

const WRITES = new Set(['create', 'update', 'patch']);

/** Kinds that need no rules of their own: storing them is all that a real server does. */
const PLAIN = new Set(['endpoints', 'serviceaccounts', 'networking.k8s.io/ingressclasses']);

/**
 * Throws 501 for writes of built-in kinds whose controller or admission plug-in is missing here, such as Jobs, ResourceQuotas
 * and webhooks: if they were stored without effect, tests would pass here that fail on a real cluster.
 */
export function assertSimulated(resource: Resource, info: RequestInfo): void {
  if (resource.kind === 'HorizontalPodAutoscaler' && resource.version === 'v1')
    throw notImplemented('autoscaling/v1 of HorizontalPodAutoscalers is not served here: use autoscaling/v2');
  if (!WRITES.has(info.verb) || resource.custom || VIRTUAL_KINDS.has(resource.kind)) return;
  if (Object.keys(resource.behaviour).length > 0 || PLAIN.has(resource.collection)) return;
  throw notImplemented(
    `${resource.plural} can't be written here: nothing acts on them; use a real kube-apiserver for tests of them`,
  );
}
