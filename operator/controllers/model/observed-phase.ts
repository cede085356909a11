/** The phase of a model for readers that only display it: status and routes. */

import type { InferenceModel } from '../../api/types.ts';
import { isStoppedByBudget } from '../../model/budget-stop.ts';
import { type Phase, settle } from '../../scaling/phase.ts';
import type { EngineHealth } from './engine-health.ts';

interface Seen {
  model: InferenceModel;
  health: EngineHealth;
  /** Whether the model has a pending request for accelerators. */
  waiting: boolean;
  /** Monotonic milliseconds. */
  now: number;
}

/** The phase that scaling last recorded, corrected by what the Deployment and pods show now. */
export function observedPhase(phase: Phase, { model, health, waiting, now }: Seen): Phase {
  const { desired: replicas, pods, ready } = health;
  return settle(phase, {
    now,
    suspended: model.spec.suspend || isStoppedByBudget(model),
    replicas,
    pods,
    ready,
    waiting,
  });
}
