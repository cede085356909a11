/**
 * HorizontalPodAutoscalers that target a model but were not created by the operator. Two autoscalers of one Deployment
 * undo each other's changes.
 */
import { modelConditions } from '../../api/condition-set.ts';
import type { InferenceModel } from '../../api/types.ts';
import type { ConditionUpdate } from '../../kube/conditions.ts';
import { controllerOf } from '../../kube/owner-reference.ts';
import type { ResolvedScaling } from '../../model/resolved-scaling.ts';
import type { ClusterState } from '../shared/cluster-state.ts';
import { scaleTargetsOf } from '../shared/scale-target.ts';
import type { Autoscaler } from '../shared/workloads.ts';

const { condition } = modelConditions;

/**
 * The condition ScalingReady if another autoscaler scales the model too, else undefined. With `mode: External` an
 * autoscaler may target the InferenceModel, but not its Deployment.
 */
export function otherAutoscaler(
  state: ClusterState,
  model: InferenceModel,
  scaling: ResolvedScaling,
): ConditionUpdate | undefined {
  const isExternal = scaling.kind === 'External';
  const [deployment = '', itself = ''] = scaleTargetsOf(model);
  const found = (isExternal ? [deployment] : [deployment, itself]).flatMap((target) =>
    state.otherAutoscalers.store.byIndex('byTarget', target),
  );
  // A team may make thousands, and this is asked several times for each change of the model.
  const first = found.reduce<Autoscaler | undefined>(
    (least, other) => (least && least.metadata.name <= other.metadata.name ? least : other),
    undefined,
  );
  if (!first) return undefined;
  const { kind, name } = first.spec?.scaleTargetRef ?? {};
  const maker = controllerOf(first);
  const by = maker ? ` of ${maker.kind} ${maker.name}` : '';
  const remedy = isExternal
    ? `let it scale InferenceModel ${model.metadata.name} instead`
    : `delete it, or set spec.scaling.mode to External and let it scale InferenceModel ${model.metadata.name}`;
  const message = `HorizontalPodAutoscaler ${first.metadata.name}${by} scales ${kind} ${name} too; ${remedy}`;
  return condition('ScalingReady', 'AnotherAutoscaler', message);
}
