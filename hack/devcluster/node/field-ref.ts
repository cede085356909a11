import type { Pod } from '../kinds.ts';

/** Addresses that a pod's processes may ask for by the downward API. */
export interface PodAddresses {
  podIp: string;
  hostIp: string;
}

/**
 * Value of a downward API field, such as `metadata.labels['app']` or `status.podIP`. Unknown labels and annotations
 * are empty; throws an Error for a path that the API does not have.
 */
export function fieldValue(path: string, pod: Pod, addresses: PodAddresses): string {
  const keyed = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
  if (keyed) return pod.metadata[keyed[1] as 'labels' | 'annotations']?.[keyed[2] ?? ''] ?? '';
  switch (path) {
    case 'metadata.name':
      return pod.metadata.name;
    case 'metadata.namespace':
      return pod.metadata.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata.uid ?? '';
    case 'metadata.labels':
      return formatMap(pod.metadata.labels);
    case 'metadata.annotations':
      return formatMap(pod.metadata.annotations);
    case 'spec.nodeName':
      return pod.spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? '';
    case 'status.podIP':
    case 'status.podIPs':
      return addresses.podIp;
    case 'status.hostIP':
    case 'status.hostIPs':
      return addresses.hostIp;
    default:
      throw new Error(`unsupported fieldPath: ${path}`);
  }
}

function formatMap(map: Record<string, string> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}
