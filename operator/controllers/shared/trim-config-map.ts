/** Trims ConfigMaps before they are cached. Anyone can put the operator's labels on thousands of ConfigMaps of 1 MiB. */
import { dropBulk } from '../../kube/reflector.ts';
import { POOL_NAMESPACE_LABEL } from '../../render/labels.ts';
import type { ConfigMap } from './workloads.ts';

/** Drops the data of a ConfigMap unless it can belong to a pool in its namespace. */
export function trimConfigMap(configMap: ConfigMap): ConfigMap {
  if (isOfPool(configMap)) return dropBulk(configMap);
  const { apiVersion, kind, metadata } = dropBulk(configMap);
  return { apiVersion, kind, metadata };
}

/**
 * Whether the labels and owner references name a pool in the same namespace, and the object is not being deleted. The garbage
 * collector deletes objects whose owner does not exist, but a finalizer may keep them for ever.
 */
export function isOfPool({ metadata }: ConfigMap): boolean {
  const { deletionTimestamp, labels, namespace, ownerReferences = [] } = metadata;
  return (
    deletionTimestamp === undefined &&
    labels?.[POOL_NAMESPACE_LABEL] === namespace &&
    ownerReferences.some(({ kind }) => kind === 'InferencePool')
  );
}
