/** Reads manifests/install.yaml. */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../operator/kube/object.ts';

const NAMESPACE = 'vllm-operator-system';

/**
 * The objects of manifests/install.yaml. With another namespace, the names of objects outside of it are changed too, so that
 * tests on a shared cluster do not affect each other.
 */
export function installObjects(namespace = NAMESPACE): KubeObject[] {
  const text = readFileSync(new URL('../../manifests/install.yaml', import.meta.url), 'utf8');
  const objects = parseAllDocuments(text.replaceAll(NAMESPACE, namespace)).map(
    (document) => document.toJS() as KubeObject,
  );
  return objects.map((object) =>
    isShared(object) && namespace !== NAMESPACE
      ? { ...object, metadata: { ...object.metadata, name: `${object.metadata.name}-${namespace}` } }
      : object,
  );
}

/** Whether the object is outside of the operator's namespace and binds a role to it. */
export function isShared({ kind, metadata }: KubeObject): boolean {
  return kind === 'ClusterRoleBinding' || (kind === 'RoleBinding' && metadata.namespace === 'kube-system');
}
