/** The events that the reconcile of a model emits: for changes of its Deployment, and for changes of its conditions. */
import type { InferenceModelStatus } from '../../api/inference-model.ts';
import { isFailure } from '../../api/reasons.ts';
import type { InferenceModel } from '../../api/types.ts';
import type { AppliedChange } from '../../kube/applier.ts';
import { findCondition } from '../../kube/conditions.ts';
import type { EventRecorder } from '../../kube/events.ts';
import { DEPLOYMENTS } from '../../kube/resource-types.ts';

const REASON = { created: 'Created', updated: 'Updated', deleted: 'Deleted' } as const;

/** Emits an event for each change that was made to the Deployment of the model. */
export function emitDeploymentEvents(
  events: EventRecorder,
  model: InferenceModel,
  changes: readonly AppliedChange[],
): void {
  for (const { type, action, key } of changes) {
    if (type.kind !== DEPLOYMENTS.kind) continue;
    const note = `${action} Deployment ${key}`;
    events.emit(model, { type: 'Normal', reason: REASON[action], action: 'Apply', note });
  }
}

/** Emits events for the conditions that differ from those in the status of `model`. */
export function emitConditionEvents(
  events: EventRecorder,
  model: InferenceModel,
  next: InferenceModelStatus,
): void {
  for (const type of ['Ready', 'ScalingReady', 'WithinBudget']) {
    const before = findCondition(model.status?.conditions, type);
    const after = findCondition(next.conditions, type);
    if (!after || (before?.reason === after.reason && before.status === after.status)) continue;
    const failed = isFailure(after.reason);
    // A change of the autoscaler is only an event if it fails.
    if (type !== 'Ready' && !failed) continue;
    const { reason, message: note } = after;
    events.emit(model, { type: failed ? 'Warning' : 'Normal', reason, action: 'Reconcile', note });
  }
}
