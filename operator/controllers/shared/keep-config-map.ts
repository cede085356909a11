/** What is kept of a ConfigMap in memory. Anybody may put the operator's labels on one of a megabyte, and make thousands. */
import { dropBulk } from '../../kube/reflector.ts';
import { POOL_NAMESPACE_LABEL } from '../../render/labels.ts';
import type { ConfigMap } from './workloads.ts';

/** The ConfigMap, without data unless it may be that of a pool in its namespace. */
export function keepConfigMap(configMap: ConfigMap): ConfigMap {
  if (isOfPool(configMap)) return dropBulk(configMap);
  const { apiVersion, kind, metadata } = dropBulk(configMap);
  return { apiVersion, kind, metadata };
}

/** Whether it says that it belongs to a pool in its namespace. The garbage collector deletes those of pools that do not exist. */
export function isOfPool({ metadata: { labels, namespace, ownerReferences = [] } }: ConfigMap): boolean {
  return (
    labels?.[POOL_NAMESPACE_LABEL] === namespace &&
    ownerReferences.some(({ kind }) => kind === 'InferencePool')
  );
}
