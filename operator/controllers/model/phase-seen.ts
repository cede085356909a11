/** The phase of a model for those who only show it: status and routes. */
import type { InferenceModel } from '../../api/types.ts';
import { type Phase, settle } from '../../scaling/phase.ts';
import type { EngineHealth } from './engine-health.ts';

interface Seen {
  model: InferenceModel;
  health: EngineHealth;
  /** It has a request for accelerators with the budget. */
  waiting: boolean;
  /** Milliseconds. */
  now: number;
}

/** The phase that scaling has left, put right by what its Deployment and pods show now. */
export function phaseSeen(phase: Phase, { model, health, waiting, now }: Seen): Phase {
  const { desired: replicas, pods, ready } = health;
  return settle(phase, { now, suspended: model.spec.suspend, replicas, pods, ready, waiting });
}
