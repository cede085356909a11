/** The advice for models as their status shows it. The adviser writes it, the reconciler of models reads it. */
import { isDeepStrictEqual } from 'node:util';
import type { Advice } from '../../advice/advice.ts';
import { type AdviceStatus, MAX_ADVICE, MAX_CHANGE } from '../../api/status.ts';
import type { InferenceModel } from '../../api/types.ts';
import { keyOf } from '../../kube/key.ts';
import { PerObject } from '../../kube/per-object.ts';
import type { WorkQueue } from '../../kube/work-queue.ts';
import { decimalText } from '../../values/decimal-text.ts';
import type { ClusterState } from '../shared/cluster-state.ts';

export interface AdviceStatusesOptions {
  state: Pick<ClusterState, 'models'>;
  /** Models with new advice. */
  queues: Record<'inferencemodel', Pick<WorkQueue, 'add'>>;
}

export class AdviceStatuses {
  readonly #queue: Pick<WorkQueue, 'add'>;
  readonly #models: PerObject<AdviceStatus>;

  constructor({ state, queues }: AdviceStatusesOptions) {
    this.#queue = queues.inferencemodel;
    this.#models = new PerObject(state.models.store);
  }

  /** Undefined if this process has not advised the model. Empty if there is no advice. */
  of({ metadata }: InferenceModel): AdviceStatus | undefined {
    return this.#models.get(metadata.uid);
  }

  /** Sets all advice for a model, and queues the model if its status has other advice. */
  set(model: InferenceModel, advice: readonly Advice[]): void {
    const shown = advice.slice(0, MAX_ADVICE).map(item);
    this.#models.set(model.metadata.uid, shown);
    if (!isDeepStrictEqual(shown, model.status?.advice ?? [])) this.#queue.add(keyOf(model));
  }
}

function item({ rule, change, saving: { money, isEstimate } }: Advice): AdviceStatus[number] {
  return {
    rule,
    change: change.slice(0, MAX_CHANGE),
    ...(money !== undefined && !isEstimate && { monthlySaving: decimalText(money, 2) }),
  };
}
