import { INFERENCE_MODELS } from '../../api/types.ts';
import type { KubeObject } from '../../kube/object.ts';
import { DEPLOYMENTS } from '../../kube/resource-types.ts';
import { engineName } from '../../render/names.ts';
import type { Autoscaler } from './workloads.ts';

/** The scale target of an autoscaler, as an index key. */
export function scaleTarget({ metadata, spec }: Autoscaler): string[] {
  const { kind, name } = spec?.scaleTargetRef ?? {};
  return kind === undefined || name === undefined ? [] : [targetKey(kind, metadata.namespace, name)];
}

/** What autoscalers of a model may target: its Deployment, and the model itself. */
export function scaleTargetsOf({ metadata }: KubeObject): [deployment: string, model: string] {
  const { namespace, name } = metadata;
  return [
    targetKey(DEPLOYMENTS.kind, namespace, engineName(name)),
    targetKey(INFERENCE_MODELS.kind, namespace, name),
  ];
}

/** The index key of a scalable object. */
function targetKey(kind: string, namespace = '', name: string): string {
  return `${kind}/${namespace}/${name}`;
}
