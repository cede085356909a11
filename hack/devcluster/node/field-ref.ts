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
  const field = FIELDS[path];
  if (!field) throw new Error(`unsupported fieldPath: ${path}`);
  return field(pod, addresses);
}

const FIELDS: Readonly<Record<string, (pod: Pod, addresses: PodAddresses) => string>> = {
  'metadata.name': ({ metadata }) => metadata.name,
  'metadata.namespace': ({ metadata }) => metadata.namespace ?? '',
  'metadata.uid': ({ metadata }) => metadata.uid ?? '',
  'metadata.labels': ({ metadata }) => formatMap(metadata.labels),
  'metadata.annotations': ({ metadata }) => formatMap(metadata.annotations),
  'spec.nodeName': ({ spec }) => spec.nodeName ?? '',
  'spec.serviceAccountName': ({ spec }) => spec.serviceAccountName ?? '',
  'status.podIP': (_, { podIp }) => podIp,
  'status.podIPs': (_, { podIp }) => podIp,
  'status.hostIP': (_, { hostIp }) => hostIp,
  'status.hostIPs': (_, { hostIp }) => hostIp,
};

function formatMap(map: Record<string, string> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}
