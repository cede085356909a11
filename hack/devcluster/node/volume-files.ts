import type { V1DownwardAPIVolumeFile } from '@kubernetes/client-node';
import type { DataObject, FileSource, KeyToPath, Pod } from '../kinds.ts';
import { fieldValue, type PodAddresses, resourceValue } from './field-ref.ts';
import { MissingSourceError, type PodSources } from './pod-sources.ts';

/** Relative path to content and permission bits. */
export type VolumeFiles = Map<string, { content: Buffer; mode: number }>;

/**
 * Reads the files of a ConfigMap, Secret, downward API or projected volume. Throws {@link MissingSourceError} when
 * an object or key that is not optional does not exist.
 */
export async function readVolumeFiles(
  sources: readonly FileSource[],
  pod: Pod,
  context: { addresses: PodAddresses; sources: PodSources; defaultMode: number; signal: AbortSignal },
): Promise<VolumeFiles> {
  const files: VolumeFiles = new Map();
  const namespace = pod.metadata.namespace ?? '';
  const { signal, defaultMode } = context;
  const put = (path: string, content: Buffer, mode = defaultMode): void => {
    files.set(path, { content, mode });
  };
  for (const source of sources) {
    if (source.configMap) {
      const name = source.configMap.name ?? '';
      const object = await context.sources.configMap(namespace, name, signal);
      addData(put, object, false, `configmap "${name}"`, source.configMap);
    }
    if (source.secret) {
      const name = source.secret.secretName ?? source.secret.name ?? '';
      const object = await context.sources.secret(namespace, name, signal);
      addData(put, object, true, `secret "${name}"`, source.secret);
    }
    for (const item of source.downwardAPI?.items ?? []) {
      put(item.path, Buffer.from(downwardValue(item, pod, context.addresses)));
    }
    if (source.serviceAccountToken) {
      const { path, audience, expirationSeconds } = source.serviceAccountToken;
      const token = await context.sources.token(
        {
          namespace,
          serviceAccount: pod.spec.serviceAccountName ?? 'default',
          pod: { name: pod.metadata.name, uid: pod.metadata.uid ?? '' },
          ...(audience === undefined ? {} : { audience }),
          ...(expirationSeconds === undefined ? {} : { expirationSeconds }),
        },
        signal,
      );
      put(path, Buffer.from(token), 0o600);
    }
  }
  return files;
}

function addData(
  put: (path: string, content: Buffer, mode?: number) => void,
  object: DataObject | undefined,
  base64: boolean,
  what: string,
  options: { items?: KeyToPath[]; optional?: boolean },
): void {
  if (!object) {
    if (options.optional) return;
    throw new MissingSourceError(`${what} not found`);
  }
  const content = (key: string): Buffer | undefined => {
    const text = object.data?.[key];
    if (text !== undefined) return Buffer.from(text, base64 ? 'base64' : 'utf8');
    const binary = object.binaryData?.[key];
    return binary === undefined ? undefined : Buffer.from(binary, 'base64');
  };
  const keys = [...Object.keys(object.data ?? {}), ...Object.keys(object.binaryData ?? {})];
  for (const item of options.items ?? keys.map((key) => ({ key, path: key, mode: undefined }))) {
    const value = content(item.key);
    if (value !== undefined) put(item.path, value, item.mode);
    else if (!options.optional) throw new MissingSourceError(`${what} has no key ${item.key}`);
  }
}

function downwardValue(item: V1DownwardAPIVolumeFile, pod: Pod, addresses: PodAddresses): string {
  if (item.fieldRef) return fieldValue(item.fieldRef.fieldPath, pod, addresses);
  const container = pod.spec.containers.find((c) => c.name === item.resourceFieldRef?.containerName);
  return container && item.resourceFieldRef
    ? resourceValue(item.resourceFieldRef.resource, container, undefined)
    : '';
}
