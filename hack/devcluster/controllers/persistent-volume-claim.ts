import type { KubeObject } from '../../../operator/kube/object.ts';

/** core/v1 PersistentVolumeClaim. */
export interface PersistentVolumeClaim extends KubeObject {
  spec: { accessModes?: string[]; resources?: { requests?: Record<string, string> } };
  status?: { phase?: string; accessModes?: string[]; capacity?: Record<string, string> };
}
