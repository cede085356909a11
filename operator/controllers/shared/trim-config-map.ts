/** Trims ConfigMaps before they are cached. Anyone can put the operator's labels on thousands of ConfigMaps of 1 MiB. */
import { dropBulk } from '../../kube/reflector.ts';
import { POOL_NAMESPACE_LABEL } from '../../render/labels.ts';
import type { ConfigMap } from './workloads.ts';

/**
 * Drops the data of a ConfigMap unless it can belong to a pool in its namespace. A finalizer may keep one for ever that the
 * garbage collector deletes.
 */
export function trimConfigMap(configMap: ConfigMap): ConfigMap {
  if (isOfPool(configMap) && configMap.metadata.deletionTimestamp === undefined) return dropBulk(configMap);
  const { apiVersion, kind, metadata } = dropBulk(configMap);
  return { apiVersion, kind, metadata };
}

/**
 * Whether the labels and owner references name a pool in the same namespace. The garbage collector deletes objects
 * whose owner does not exist.
 */
export function isOfPool({ metadata: { labels, namespace, ownerReferences = [] } }: ConfigMap): boolean {
  return (
    labels?.[POOL_NAMESPACE_LABEL] === namespace &&
    ownerReferences.some(({ kind }) => kind === 'InferencePool')
  );
}
