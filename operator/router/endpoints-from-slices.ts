/** Engine pods out of EndpointSlices (discovery.k8s.io/v1). */
import type { KubeObject } from '../kube/object.ts';
import type { RouteEndpoint } from './route-table.ts';

/** The fields of an EndpointSlice that are read. */
export interface EndpointSlice extends KubeObject {
  addressType: 'IPv4' | 'IPv6' | 'FQDN';
  endpoints?:
    | {
        addresses: string[];
        conditions?: { ready?: boolean | null; serving?: boolean | null; terminating?: boolean | null };
        targetRef?: { uid?: string };
      }[]
    | null;
  ports?: { name?: string | null; port?: number | null }[] | null;
}

/** Pods whose end is announced: they take no new requests once another engine does. */
export interface LeavingPods {
  /** UIDs. */
  pods: ReadonlySet<string>;
  /** Nor do they when there is no other engine. */
  evenLast: boolean;
}

interface SliceEndpoint {
  id: string;
  ip: string;
  port: number | undefined;
  ready: boolean;
  serving: boolean;
  terminating: boolean;
}

/**
 * The engine pods that answer at the named port, sorted by address. A pod that terminates but still serves, or that is to
 * leave, is `draining`; one that is neither ready nor serving is left out.
 */
export function engineEndpoints(
  slices: readonly EndpointSlice[],
  options: {
    capacity: number;
    portName?: string;
    leaving?: LeavingPods | undefined;
    /** UIDs of pods that are being deleted: their slices tell of it a moment later. */
    ending?: ReadonlySet<string> | undefined;
  },
): RouteEndpoint[] {
  const { leaving, capacity } = options;
  const serving = readEndpoints(slices, options.portName ?? 'http', options.ending).filter(
    ({ port, ready, ...endpoint }) => port !== undefined && (ready || isEnding(endpoint)),
  );
  const hasOthers = serving.some((endpoint) => !isEnding(endpoint) && !leaving?.pods.has(endpoint.id));
  const leaves = leaving !== undefined && (hasOthers || leaving.evenLast);
  return serving
    .map((endpoint): RouteEndpoint => {
      const draining = isEnding(endpoint) || (leaves && leaving.pods.has(endpoint.id));
      return { host: urlHost(endpoint.ip), port: endpoint.port ?? 0, capacity, draining };
    })
    .sort((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : a.port - b.port));
}

function isEnding({ terminating, serving }: Pick<SliceEndpoint, 'terminating' | 'serving'>): boolean {
  return terminating && serving;
}

/** A host as URLs have it: an IPv6 address needs brackets (RFC 3986). */
export function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** `host:port`. */
export function hostPort(host: string, port: number): string {
  return `${urlHost(host)}:${port}`;
}

/**
 * One entry per pod. A pod may be in several slices at once while the server moves it from one to another (KEP-752), and
 * with dual-stack Services in one per family. A pod never comes back from terminating, so that is the newest fact of it;
 * then what can take requests wins, then IPv4.
 */
function readEndpoints(
  slices: readonly EndpointSlice[],
  portName: string,
  ending?: ReadonlySet<string>,
): SliceEndpoint[] {
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
        ip,
        port,
        ready,
        serving: conditions?.serving ?? ready,
        terminating: (conditions?.terminating ?? false) || ending?.has(targetRef?.uid ?? '') === true,
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
