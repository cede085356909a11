import type { InferenceModel, InferencePool } from '../api/types.ts';
import type { KubeObject, OwnerReference } from '../kube/object.ts';
import type { ImageDefaults } from './image-defaults.ts';
import type { Labels } from './labels.ts';

/** An object to apply, with any fields of its kind. */
export interface Manifest extends KubeObject {
  [field: string]: unknown;
}

/** Cluster facts that manifests depend on. */
export interface Cluster {
  /** Namespace of the operator's pods. Only these may reach the routers' admin port. */
  operatorNamespace: string;
  /** Labels of the operator's pods. Default: those of the chart. */
  operatorLabels?: Labels;
  /** Version of the operator, and so of the default router image. Default: that of this source. */
  operatorVersion?: string;
  /** Images and pull secrets where a pool or model names none. Default: those of this source, and none. */
  images?: ImageDefaults;
}

/** Version of this source, as in package.json. */
export const OPERATOR_VERSION = '0.1.0';

function ownerReferences(owner: InferenceModel | InferencePool): OwnerReference[] {
  const { uid, name } = owner.metadata;
  // Rendered without a cluster, an owner has no UID, so nothing can refer to it.
  if (uid === undefined) return [];
  const { apiVersion, kind } = owner;
  return [{ apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true }];
}

/** A child of a model or pool: in its namespace and with an owner reference. */
export function child(
  owner: InferenceModel | InferencePool,
  type: { apiVersion: string; kind: string },
  meta: { name: string; labels: Labels; annotations?: Record<string, string> | undefined },
  content: Record<string, unknown>,
): Manifest {
  const references = ownerReferences(owner);
  return {
    apiVersion: type.apiVersion,
    kind: type.kind,
    metadata: {
      name: meta.name,
      namespace: owner.metadata.namespace ?? 'default',
      labels: meta.labels,
      ...(meta.annotations === undefined ? {} : { annotations: meta.annotations }),
      ...(references.length === 0 ? {} : { ownerReferences: references }),
    },
    ...content,
  };
}
