/** The routers of a pool, as the operator connects to them. */
import type { KubeObject } from '../kube/object.ts';
import { ROUTER_PORTS } from '../model/router-ports.ts';
import { hostPort } from './endpoints-from-slices.ts';

/** One router pod. */
export interface RouterEndpoint {
  /** UID of the pod. Another pod at the same address is another router. */
  id: string;
  /** Name of the pod, for messages. */
  name: string;
  /** `ip:port` of its admin server. */
  address: string;
  /** Whether the pod is Ready. If so, it gets new clients, even if it does not respond to the operator. */
  ready: boolean;
  /** Whether the pod is being deleted. It ends when its requests have ended. */
  stopping: boolean;
}

interface RouterPod extends KubeObject {
  status?: { podIP?: string; phase?: string; conditions?: { type: string; status: string }[] };
}

/**
 * All router pods that have an address and have not terminated, sorted by name. Readiness is irrelevant: a router becomes
 * ready only after it gets a table, and a terminating one still has requests to report.
 */
export function routerEndpoints(pods: readonly RouterPod[]): RouterEndpoint[] {
  return pods
    .flatMap(({ metadata, status }) => {
      const ended = status?.phase === 'Succeeded' || status?.phase === 'Failed';
      if (!status?.podIP || ended || !metadata.uid) return [];
      const ready =
        status.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') ?? false;
      return [
        {
          id: metadata.uid,
          name: metadata.name,
          address: hostPort(status.podIP, ROUTER_PORTS.admin),
          ready,
          stopping: metadata.deletionTimestamp !== undefined,
        },
      ];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
