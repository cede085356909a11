/** Changes the replicas of a model: writes them, settles the budget request, emits an event and counts the change. */
import type { InferencePool } from '../../api/types.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Key } from '../../kube/key.ts';
import { keyOf } from '../../kube/key.ts';
import type { ColdStartRecorder } from '../../scaling/cold-start-recorder.ts';
import type { ScalingMetrics } from '../../scaling/scaling-metrics.ts';
import type { AcceleratorBudget, Arbitration } from './accelerator-budget.ts';
import type { ReplicasWriter } from './replicas-writer.ts';
import type { ScalingContext, ScalingScope } from './scaling-scope.ts';

export interface ReplicaChangesOptions {
  replicas: ReplicasWriter;
  budget: AcceleratorBudget;
  events: EventRecorder;
  coldStarts: ColdStartRecorder;
  metrics: ScalingMetrics;
  /** Called when something that the route table or the status shows has changed. */
  onChanged: (modelKey: Key, poolKey: Key) => void;
  /** Called with the keys of other models that have to be reconciled. */
  onTouched: (modelKeys: readonly Key[]) => void;
}

export class ReplicaChanges {
  readonly #options: ReplicaChangesOptions;

  constructor(options: ReplicaChangesOptions) {
    this.#options = options;
  }

  /** Writes the number of replicas if it differs. Throws KubeError. */
  async to(
    scope: ScalingScope,
    replicas: number,
    reason: 'Scaled' | 'Woken' | 'Slept',
    note: string,
    { signal, log }: ScalingContext,
  ): Promise<void> {
    const { deployment, model, uid, poolKey, replicas: from } = scope;
    const { budget, coldStarts, events, metrics, onChanged, replicas: writer } = this.#options;
    budget.withdraw(model);
    if (await writer.scale(uid, deployment, replicas, signal)) {
      if (from === 0) coldStarts.scaled(uid);
      metrics.changed(reason);
      log.info({ from, to: replicas, reason }, 'scaled');
      events.emit(model, {
        type: 'Normal',
        reason,
        action: 'Scale',
        note: `${reason === 'Scaled' ? 'scaled' : reason.toLowerCase()} ${note}`,
      });
    }
    onChanged(keyOf(model), poolKey);
  }

  /** Whether the budget grants this total number of replicas. If not, the model waits in the queue. */
  granted({ pool, model, now }: ScalingScope, replicas: number): boolean {
    const { granted, ...arbitration } = this.#options.budget.ask(pool, model, replicas, now);
    this.#publish(arbitration);
    return granted;
  }

  /** Withdraws the pending request of the model. */
  stopWaiting({ pool, model, uid, now }: ScalingScope): void {
    if (!this.#options.budget.isWaiting(uid)) return;
    this.#options.budget.withdraw(model);
    this.arbitrate(pool, now);
  }

  /** Repeats the arbitration after accelerators have become free. */
  arbitrate(pool: InferencePool, now: number): void {
    const { budget } = this.#options;
    if (budget.applies(pool)) this.#publish(budget.decide(pool, now));
  }

  #publish({ touched, evictions }: Arbitration): void {
    const { events, metrics, onTouched } = this.#options;
    metrics.evicted(evictions.length);
    for (const { victim, waiter } of evictions) {
      const note = `${keyOf(victim)} goes to sleep to make room for ${keyOf(waiter)}`;
      const event = { type: 'Normal', action: 'Arbitrate', note } as const;
      events.emit(victim, { ...event, reason: 'Evicted', related: waiter });
      events.emit(waiter, { ...event, reason: 'MakingRoom', related: victim });
    }
    onTouched(touched);
  }
}

export function counted(replicas: number): string {
  return replicas === 1 ? '1 replica' : `${replicas} replicas`;
}
