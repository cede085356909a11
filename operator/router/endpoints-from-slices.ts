/** Extracts engine pods from EndpointSlices (discovery.k8s.io/v1). */
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

/** Pods with an eviction notice. They get no new requests once another engine does. */
export interface LeavingPods {
  /** UIDs of the pods. */
  pods: ReadonlySet<string>;
  /** Whether they get no new requests even if there is no other engine. */
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
 * The engine pods that serve at the named port, sorted by address. A pod that is terminating but still serves, or that is
 * leaving, is `draining`. A pod that is neither ready nor serving is omitted.
 */
export function engineEndpoints(
  slices: readonly EndpointSlice[],
  options: {
    capacity: number;
    portName?: string;
    leaving?: LeavingPods | undefined;
    /** UIDs of pods that are being deleted. Their slices show it a moment later. */
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

/** A host as in URLs: an IPv6 address needs brackets (RFC 3986). */
export function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

export function hostPort(host: string, port: number): string {
  return `${urlHost(host)}:${port}`;
}

/**
 * One entry per pod. A pod may be in several slices while the server moves it (KEP-752), and in one per IP family with
 * dual-stack Services. Terminating is final, so it takes precedence; then an address that can take requests, then IPv4.
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
      // All addresses of an entry belong to the same pod, and consumers use the first (EndpointSlice API reference).
      const ip = addresses[0];
      if (ip === undefined) continue;
      // Unknown conditions mean: ready, serving like ready, not terminating (EndpointConditions).
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
