import type { Condition } from '../../../../operator/kube/conditions.ts';
import type { KubeObject, ResourceType } from '../../../../operator/kube/object.ts';

/** A kind to play with. */
export interface Widget extends KubeObject {
  spec: { size: number };
  status?: { observedGeneration?: number; conditions?: Condition[] };
}

export const WIDGETS: ResourceType = {
  group: 'kube-test.vllm-operator.dev',
  version: 'v1',
  kind: 'Widget',
  plural: 'widgets',
  namespaced: true,
};

/** Name of its CustomResourceDefinition. */
export const WIDGETS_NAME = `${WIDGETS.plural}.${WIDGETS.group}`;
