/** Endpoints out of EndpointSlices (discovery.k8s.io/v1), for the engines of a model and for the routers of a pool. */
import type { KubeObject } from '../kube/object.ts';
import type { RouteEndpoint } from './route-table.ts';

/** The fields of an EndpointSlice that are read. */
export interface EndpointSlice extends KubeObject {
  addressType: 'IPv4' | 'IPv6' | 'FQDN';
  endpoints?:
    | {
        addresses: string[];
        conditions?: { ready?: boolean | null; serving?: boolean | null; terminating?: boolean | null };
        targetRef?: { kind?: string; name?: string; uid?: string };
      }[]
    | null;
  ports?: { name?: string | null; port?: number | null }[] | null;
}

/** One router pod, as the admin client reaches it. */
export interface RouterEndpoint {
  /** UID of the pod: another pod at the same address is another router. */
  id: string;
  /** Name of the pod, for people. */
  name: string;
  /** `ip:port` of its admin server. */
  address: string;
}

interface SliceEndpoint {
  id: string;
  name: string;
  ip: string;
  port: number | undefined;
  ready: boolean;
  serving: boolean;
  terminating: boolean;
}

/** Port of the routers' admin server (operator/router/nginx/nginx.conf). */
const ADMIN_PORT = 8081;

/**
 * The engine pods that answer at the named port, sorted by address. A pod that terminates but still serves is
 * `draining`; one that is neither ready nor serving is left out.
 */
export function engineEndpoints(
  slices: readonly EndpointSlice[],
  options: { capacity: number; portName?: string },
): RouteEndpoint[] {
  return readEndpoints(slices, options.portName ?? 'http')
    .flatMap((endpoint): RouteEndpoint[] => {
      if (endpoint.port === undefined) return [];
      const draining = endpoint.terminating && endpoint.serving;
      if (!draining && !endpoint.ready) return [];
      return [{ address: hostPort(endpoint.ip, endpoint.port), capacity: options.capacity, draining }];
    })
    .sort(byAddress);
}

/**
 * Every router pod, sorted by address. Readiness does not count: a router becomes ready by the table it is sent, and
 * one that terminates still has requests to report.
 */
export function routerEndpoints(
  slices: readonly EndpointSlice[],
  adminPort: number = ADMIN_PORT,
): RouterEndpoint[] {
  return readEndpoints(slices, undefined)
    .map(({ id, name, ip }) => ({ id, name, address: hostPort(ip, adminPort) }))
    .sort(byAddress);
}

/** `host:port` with the brackets that an IPv6 address needs (RFC 3986). */
export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * One entry per pod. A pod may be in several slices at once while the server moves it from one to another (KEP-752), and
 * with dual-stack Services in one per family. A pod never comes back from terminating, so that is the newest fact of it;
 * then what can take requests wins, then IPv4.
 */
function readEndpoints(slices: readonly EndpointSlice[], portName: string | undefined): SliceEndpoint[] {
  const best = new Map<string, SliceEndpoint>();
  for (const slice of slices) {
    if (slice.addressType === 'FQDN') continue;
    const port = slice.ports?.find(({ name }) => name === portName)?.port ?? undefined;
    for (const { addresses, conditions, targetRef } of slice.endpoints ?? []) {
      // All addresses of an entry are the same pod, and consumers use the first (EndpointSlice API reference).
      const ip = addresses[0];
      if (ip === undefined) continue;
      // Unknown is to be read as ready, as serving what ready says, and as not terminating (EndpointConditions).
      const ready = conditions?.ready ?? true;
      const endpoint: SliceEndpoint = {
        id: targetRef?.uid ?? ip,
        name: targetRef?.name ?? ip,
        ip,
        port,
        ready,
        serving: conditions?.serving ?? ready,
        terminating: conditions?.terminating ?? false,
      };
      const known = best.get(endpoint.id);
      if (!known || preference(endpoint) > preference(known)) best.set(endpoint.id, endpoint);
    }
  }
  return [...best.values()];
}

function preference(endpoint: SliceEndpoint): number {
  const usable = endpoint.ready ? 4 : endpoint.serving ? 2 : 0;
  return (endpoint.terminating ? 8 : 0) + usable + (endpoint.ip.includes(':') ? 0 : 1);
}

function byAddress(a: { address: string }, b: { address: string }): number {
  return a.address < b.address ? -1 : a.address > b.address ? 1 : 0;
}
