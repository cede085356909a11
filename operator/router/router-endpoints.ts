/** The routers of a pool, as the operator reaches them. */
import type { KubeObject } from '../kube/object.ts';
import { ROUTER_PORTS } from '../model/router-ports.ts';
import { hostPort } from './endpoints-from-slices.ts';

/** One router pod. */
export interface RouterEndpoint {
  /** UID of the pod: another pod at the same address is another router. */
  id: string;
  /** Name of the pod, for people. */
  name: string;
  /** `ip:port` of its admin server. */
  address: string;
  /** Whether the kubelet finds it ready: it has new clients then, whether or not it answers the operator. */
  ready: boolean;
}

interface RouterPod extends KubeObject {
  status?: { podIP?: string; phase?: string; conditions?: { type: string; status: string }[] };
}

/**
 * Every router pod that has an address and has not ended, sorted by name. Readiness does not count: a router becomes
 * ready by the table it is sent, and one that terminates still has requests to report.
 */
export function routerEndpoints(pods: readonly RouterPod[]): RouterEndpoint[] {
  return pods
    .flatMap(({ metadata, status }) => {
      const ended = status?.phase === 'Succeeded' || status?.phase === 'Failed';
      if (!status?.podIP || ended || !metadata.uid) return [];
      const ready =
        status.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') ?? false;
      return [
        { id: metadata.uid, name: metadata.name, address: hostPort(status.podIP, ROUTER_PORTS.admin), ready },
      ];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
