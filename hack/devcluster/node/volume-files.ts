import type { FileSource, KeyToPath, Pod } from '../kinds.ts';
import { fieldValue, type PodAddresses } from './field-ref.ts';
import { MissingSourceError, type PodSources } from './pod-sources.ts';

/** Content and permission bits by relative path. */
export type VolumeFiles = Map<string, { content: Buffer; mode: number }>;

const DEFAULT_MODE = 0o644;

/**
 * Reads the files of a ConfigMap, Secret, downward API or projected volume. Throws {@link MissingSourceError} when
 * an object or key that is not optional does not exist.
 */
export async function readVolumeFiles(
  fileSources: readonly FileSource[],
  pod: Pod,
  { addresses, sources, signal }: { addresses: PodAddresses; sources: PodSources; signal: AbortSignal },
): Promise<VolumeFiles> {
  const files: VolumeFiles = new Map();
  const namespace = pod.metadata.namespace ?? '';
  const put = (path: string, content: Buffer, mode = DEFAULT_MODE): void => {
    files.set(path, { content, mode });
  };
  for (const { configMap, secret, downwardAPI, serviceAccountToken } of fileSources) {
    if (configMap)
      putData(put, await sources.data('configmap', { namespace, ...configMap }, signal), configMap);
    if (secret) {
      const name = secret.secretName ?? secret.name ?? '';
      putData(put, await sources.data('secret', { ...secret, namespace, name }, signal), secret);
    }
    for (const { path, fieldRef } of downwardAPI?.items ?? []) {
      if (!fieldRef) throw new Error(`${path}: files can come from a field of the pod here`);
      put(path, Buffer.from(fieldValue(fieldRef.fieldPath, pod, addresses)));
    }
    if (serviceAccountToken) {
      const { path, ...options } = serviceAccountToken;
      const serviceAccount = pod.spec.serviceAccountName ?? 'default';
      const owner = { name: pod.metadata.name, uid: pod.metadata.uid ?? '' };
      const token = await sources.token({ ...options, namespace, serviceAccount, pod: owner }, signal);
      put(path, Buffer.from(token), 0o600);
    }
  }
  return files;
}

function putData(
  put: (path: string, content: Buffer, mode?: number) => void,
  data: Map<string, Buffer>,
  { items, optional = false }: { items?: KeyToPath[]; optional?: boolean },
): void {
  for (const { key, path, mode } of items ??
    [...data.keys()].map((name): KeyToPath => ({ key: name, path: name }))) {
    const value = data.get(key);
    if (value) put(path, value, mode);
    else if (!optional) throw new MissingSourceError(`references non-existent config key: ${key}`);
  }
}
