/** Filters EndpointSlices by the addresses of known pods. Pure. */
import type { EndpointSlice } from '../../router/endpoints-from-slices.ts';
import { isFinished, type Pod } from '../shared/workloads.ts';

/**
 * Drops endpoints whose address does not belong to one of these pods. Routers reach targets that teams cannot, so
 * anyone who may write EndpointSlices could direct requests anywhere. Only a kubelet sets the address of a pod. A finished pod
 * still has the address in its status that another pod may have by now.
 */
export function podEndpoints(slices: readonly EndpointSlice[], pods: readonly Pod[]): EndpointSlice[] {
  const addresses = new Map(
    pods
      .filter((pod) => !isFinished(pod))
      .map(({ metadata, status }) => [
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
