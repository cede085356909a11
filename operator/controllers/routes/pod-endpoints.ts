/** Endpoints that are pods for certain. Pure. */
import type { EndpointSlice } from '../../router/endpoints-from-slices.ts';
import type { Pod } from '../shared/workloads.ts';

/**
 * The slices without the endpoints that are not addresses of these pods. Routers reach what teams do not, and who may
 * write EndpointSlices could otherwise have them ask any server; only a kubelet writes the address of a pod.
 */
export function podEndpoints(slices: readonly EndpointSlice[], pods: readonly Pod[]): EndpointSlice[] {
  const addresses = new Map(
    pods.map(({ metadata, status }) => [
      metadata.uid,
      [status?.podIP, ...(status?.podIPs ?? []).map(({ ip }) => ip)],
    ]),
  );
  return slices.map((slice) => ({
    ...slice,
    endpoints: (slice.endpoints ?? []).filter(
      ({ addresses: [address], targetRef }) =>
        targetRef?.uid !== undefined && addresses.get(targetRef.uid)?.includes(address),
    ),
  }));
}
