/** Sizes a model that is awake: a fixed number, the lower bound in force, or the result of the operator's autoscaler. */
import type { InferenceModel } from '../../api/types.ts';
import { PerObject } from '../../kube/per-object.ts';
import type { Watchable } from '../../kube/store.ts';
import { replicasWithin } from '../../model/replica-counts.ts';
import type { ExternalScaling, FixedScaling, RangeScaling } from '../../model/resolved-scaling.ts';
import { scalingTarget } from '../../model/scaling-target.ts';
import { InternalAutoscaler } from '../../scaling/internal-autoscaler.ts';
import type { ScalingMetrics } from '../../scaling/scaling-metrics.ts';
import { QUEUE_MS } from '../../scaling/transitions.ts';
import type { AcceleratorBudget } from './accelerator-budget.ts';
import { counted, type ReplicaChanges } from './replica-changes.ts';
import type { ReplicasView } from './replicas-writer.ts';
import type { ScalingModes } from './scaling-modes.ts';
import type { ScalingContext, ScalingScope } from './scaling-scope.ts';

export interface ReplicaSizingOptions {
  changes: ReplicaChanges;
  replicas: ReplicasView;
  budget: AcceleratorBudget;
  modes: ScalingModes;
  metrics: ScalingMetrics;
  models: Watchable<InferenceModel>;
}

/** Interval of the autoscaler, like the tick of Knative. */
const TICK_MS = 2_000;
/** Delay until the Deployment shows the new number. */
const SETTLE_MS = 250;

export class ReplicaSizing {
  readonly #options: ReplicaSizingOptions;
  /** By model. */
  readonly #autoscalers: PerObject<InternalAutoscaler>;

  constructor(options: ReplicaSizingOptions) {
    this.#options = options;
    this.#autoscalers = new PerObject(options.models);
  }

  /** Sets the replicas of a model that is awake. Returns after how many milliseconds to check again. Throws KubeError. */
  async size(scope: ScalingScope, context: ScalingContext): Promise<number | undefined> {
    const { health, replicas, minReplicas, resolution } = scope;
    const { scaling } = resolution;
    const { changes, modes } = this.#options;
    if (scaling.kind === 'Fixed') return await this.#toNumber(scope, scaling, context);
    if (replicas < minReplicas) {
      if (!changes.granted(scope, minReplicas)) return QUEUE_MS;
      await changes.to(scope, minReplicas, 'Scaled', `to the minimum of ${minReplicas}`, context);
      return SETTLE_MS;
    }
    if (scaling.kind === 'External') return await this.#toNumber(scope, scaling, context);
    changes.stopWaiting(scope);
    if (modes.of({ ...scope, scaling }).mode !== 'Internal' || health.ready === 0) return undefined;
    return await this.#autoscale(scope, scaling, context);
  }

  /** Writes the number in the spec when it changes, but does not undo changes that others make to the Deployment. */
  async #toNumber(
    scope: ScalingScope,
    scaling: FixedScaling | ExternalScaling,
    context: ScalingContext,
  ): Promise<number | undefined> {
    const { model, uid, replicas } = scope;
    const { changes } = this.#options;
    const desired = replicasWithin(scaling, scope);
    const last = this.#options.replicas.lastDesired(uid) ?? model.status?.desiredReplicas;
    if (last === desired) {
      changes.stopWaiting(scope);
      return undefined;
    }
    if (desired > replicas && !changes.granted(scope, desired)) return QUEUE_MS;
    await changes.to(scope, desired, 'Scaled', `to the ${counted(desired)} of spec.scaling`, context);
    return undefined;
  }

  async #autoscale(
    scope: ScalingScope,
    scaling: RangeScaling,
    context: ScalingContext,
  ): Promise<number | undefined> {
    const { budget, changes, metrics } = this.#options;
    const { now, health, model, uid, pool, demand, replicas: current, minReplicas } = scope;
    const { engine } = scope.resolution;
    // Without a valid engine spec, the target load of a replica is unknown.
    if (!engine) return undefined;
    const autoscaler = this.#autoscalers.getOr(uid, () => new InternalAutoscaler());
    const load = demand.inFlight + demand.queued + demand.held;
    if (demand.known) autoscaler.record(now, load);
    const least = Math.max(1, minReplicas);
    const decision = autoscaler.decide(now, health.ready, current, {
      target: scalingTarget(scaling, engine, pool, model),
      minReplicas: least,
      maxReplicas: scope.maxReplicas,
      scaleUp: scaling.behavior.scaleUp,
      scaleDown: scaling.behavior.scaleDown,
      neededElsewhere: pool.spec.capacity.overcommit && budget.isShort(pool),
    });
    metrics.decided(decision.reason);
    let desired = decision.replicas;
    if (desired > current) desired = Math.min(desired, current + budget.room(pool, model, now));
    if (desired !== current)
      await changes.to(
        scope,
        desired,
        'Scaled',
        `from ${current} to ${desired}: ${decision.message}`,
        context,
      );
    // At the lower bound and without load there is nothing to do until a request arrives, which the routers report at once.
    return desired === least && load === 0 && decision.reason === 'Hold' ? undefined : TICK_MS;
  }
}
