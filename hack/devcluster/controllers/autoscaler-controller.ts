import { Controller } from '../../../operator/kube/controller.ts';
import type { ResourceType } from '../../../operator/kube/object.ts';
import { HORIZONTAL_POD_AUTOSCALERS } from '../../../operator/kube/resource-types.ts';
import { quantityValue } from '../../../operator/values/quantity.ts';
import type { AutoscalerStatus, Condition, HorizontalPodAutoscaler, MetricStatus } from '../kinds.ts';
import { apiTime } from '../node/timing.ts';
import type { ControllerContext } from './controller-context.ts';
import { MetricError, type MetricProposal, proposeReplicas } from './external-metric.ts';
import { patchStatus } from './patch-status.ts';
import { type Scale, ScaleTargets } from './scale-target.ts';
import { type NormalizedReplicas, normalizeReplicas, type ScalingHistory } from './scaling-behavior.ts';

/** kube-controller-manager's --horizontal-pod-autoscaler-tolerance. */
const TOLERANCE = '0.1';

/** HorizontalPodAutoscalers on External metrics; kube-controller-manager's sync period is 15 s. */
export function autoscalerController(context: ControllerContext, syncPeriodMs: number): Controller {
  const { stores, log } = context;
  const reconciler = new AutoscalerReconciler(context);
  const controller = new Controller({
    name: 'horizontalpodautoscaler',
    log,
    reconcile: async (key, { signal }) => {
      await reconciler.reconcile(key, signal);
      return { requeueAfterMs: stores.autoscalers.get(key) ? syncPeriodMs : undefined };
    },
  });
  // A new autoscaler is first synced after one period, as in kube-controller-manager. From then on it requeues itself.
  stores.autoscalers.subscribe(({ key, old }) => {
    if (!old) controller.enqueue(key, { afterMs: syncPeriodMs });
  });
  return controller;
}

class AutoscalerReconciler {
  readonly #context: ControllerContext;
  readonly #targets: ScaleTargets;
  readonly #histories = new Map<string, ScalingHistory>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#targets = new ScaleTargets(context.client);
  }

  async reconcile(key: string, signal: AbortSignal): Promise<void> {
    const { stores, client } = this.#context;
    const autoscaler = stores.autoscalers.get(key);
    if (!autoscaler || autoscaler.metadata.deletionTimestamp) {
      this.#histories.delete(key);
      return;
    }
    const history = this.#histories.get(key) ?? { recommendations: [], changes: [] };
    this.#histories.set(key, history);
    const status = await this.#sync(autoscaler, history, signal);
    await patchStatus(client, HORIZONTAL_POD_AUTOSCALERS, autoscaler, { status }, signal);
  }

  async #sync(
    autoscaler: HorizontalPodAutoscaler,
    history: ScalingHistory,
    signal: AbortSignal,
  ): Promise<AutoscalerStatus> {
    const before: AutoscalerStatus = autoscaler.status ?? { desiredReplicas: 0, currentMetrics: null };
    const conditions = new Conditions(before.conditions ?? [], this.#context.now());
    const target = await this.#target(autoscaler, conditions, signal);
    if (!target) return { ...before, conditions: conditions.list };
    const current = target.scale.spec.replicas ?? 0;
    const { minReplicas = 1, maxReplicas } = autoscaler.spec;
    if (current === 0 && minReplicas !== 0) {
      const message = 'scaling is disabled since the replica count of the target is zero';
      conditions.set('ScalingActive', 'False', 'ScalingDisabled', message);
      return statusOf(before, { current, desired: 0, metrics: before.currentMetrics, conditions });
    }
    const bound = current > maxReplicas ? maxReplicas : Math.max(current, minReplicas);
    const decision =
      bound === current
        ? await this.#decide(autoscaler, history, target.scale, conditions, signal)
        : {
            replicas: bound,
            metrics: before.currentMetrics,
            why: `Current number of replicas ${current > maxReplicas ? 'above Spec.Max' : 'below Spec.Min'}Replicas`,
          };
    if (!decision) {
      // kube-controller-manager writes an empty entry for each metric that it could not read.
      const unknown: MetricStatus[] = (autoscaler.spec.metrics ?? []).map(() => ({ type: '' }));
      return { ...before, currentReplicas: current, currentMetrics: unknown, conditions: conditions.list };
    }
    const { replicas, metrics, why } = decision;
    if (replicas === current) return statusOf(before, { current, desired: current, metrics, conditions });

    await this.#rescale(target.type, autoscaler, replicas, signal);
    history.changes.push({ by: replicas - current, at: this.#context.now().getTime() });
    const message = `the HPA controller was able to update the target scale to ${replicas}`;
    conditions.set('AbleToScale', 'True', 'SucceededRescale', message);
    this.#context.events.emit(autoscaler, {
      type: 'Normal',
      reason: 'SuccessfulRescale',
      action: 'Rescale',
      note: `New size: ${replicas}; reason: ${why}`,
    });
    const lastScaleTime = apiTime(this.#context.now());
    return { ...statusOf(before, { current, desired: replicas, metrics, conditions }), lastScaleTime };
  }

  /** The scale subresource of the target, and the condition that says whether it could be read; undefined when not. */
  async #target(
    autoscaler: HorizontalPodAutoscaler,
    conditions: Conditions,
    signal: AbortSignal,
  ): Promise<{ type: ResourceType; scale: Scale } | undefined> {
    const { kind, name, apiVersion = 'apps/v1' } = autoscaler.spec.scaleTargetRef;
    const key = { namespace: autoscaler.metadata.namespace ?? '', name };
    try {
      const type = await this.#targets.type(apiVersion, kind, signal);
      const scale = await this.#context.client.get<Scale>(type, key, { subresource: 'scale', signal });
      const message = "the HPA controller was able to get the target's current scale";
      conditions.set('AbleToScale', 'True', 'SucceededGetScale', message);
      return { type, scale };
    } catch (error) {
      const message = `the HPA controller was unable to get the target's current scale: ${text(error, signal)}`;
      conditions.set('AbleToScale', 'False', 'FailedGetScale', message);
      this.#warn(autoscaler, 'FailedGetScale', message);
      return undefined;
    }
  }

  /** The desired replicas by the metrics, recorded in history and conditions; undefined when no metric could be read. */
  async #decide(
    autoscaler: HorizontalPodAutoscaler,
    history: ScalingHistory,
    scale: Scale,
    conditions: Conditions,
    signal: AbortSignal,
  ): Promise<{ replicas: number; metrics: MetricStatus[]; why: string } | undefined> {
    const current = scale.spec.replicas ?? 0;
    try {
      const proposals = await this.#propose(autoscaler, scale, signal);
      const [best] = proposals.sort((a, b) => b.replicas - a.replicas) as [MetricProposal];
      const message = `the HPA was able to successfully calculate a replica count from ${best.name}`;
      conditions.set('ScalingActive', 'True', 'ValidMetricFound', message);
      const now = this.#context.now().getTime();
      const wanted = normalizeReplicas(autoscaler, history, current, best.replicas, now);
      conditions.describe(wanted);
      return {
        replicas: wanted.replicas,
        metrics: proposals.map((proposal) => proposal.status),
        why: best.replicas > current ? `${best.name} above target` : 'All metrics below target',
      };
    } catch (error) {
      if (!(error instanceof MetricError)) throw error;
      const message = `the HPA was unable to compute the replica count: ${error.message}`;
      conditions.set('ScalingActive', 'False', error.reason, message);
      this.#warn(autoscaler, error.reason, error.message);
      return undefined;
    }
  }

  /** The proposal of each metric. While one cannot be read, there is no scale-down. Throws {@link MetricError}. */
  async #propose(
    autoscaler: HorizontalPodAutoscaler,
    scale: Scale,
    signal: AbortSignal,
  ): Promise<MetricProposal[]> {
    const { behavior, metrics = [] } = autoscaler.spec;
    const scope = {
      namespace: autoscaler.metadata.namespace ?? '',
      specReplicas: scale.spec.replicas ?? 0,
      statusReplicas: scale.status?.replicas ?? 0,
      tolerance: {
        up: quantityValue(behavior?.scaleUp?.tolerance ?? TOLERANCE),
        down: quantityValue(behavior?.scaleDown?.tolerance ?? TOLERANCE),
      },
    };
    const settled = await Promise.allSettled(
      metrics.map((metric) => proposeReplicas(this.#context.client, metric, scope, signal)),
    );
    const proposals = settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const failure: unknown = settled.find((result) => result.status === 'rejected')?.reason;
    const highest = Math.max(0, ...proposals.map((proposal) => proposal.replicas));
    if (failure !== undefined && highest <= scope.specReplicas) throw failure;
    if (proposals.length === 0) throw new MetricError('InvalidMetricSourceType', 'the HPA has no metrics');
    return proposals;
  }

  async #rescale(
    type: ResourceType,
    autoscaler: HorizontalPodAutoscaler,
    replicas: number,
    signal: AbortSignal,
  ): Promise<void> {
    const key = { namespace: autoscaler.metadata.namespace ?? '', name: autoscaler.spec.scaleTargetRef.name };
    await this.#context.client.patch(
      type,
      key,
      { merge: { spec: { replicas } } },
      { subresource: 'scale', signal },
    );
  }

  #warn(autoscaler: HorizontalPodAutoscaler, reason: string, note: string): void {
    this.#context.events.emit(autoscaler, { type: 'Warning', reason, action: 'Scale', note });
  }
}

/** Conditions of an autoscaler: changed in place, with a new time only when the status changes. */
class Conditions {
  readonly list: Condition[];
  readonly #now: string;

  constructor(before: readonly Condition[], now: Date) {
    this.list = [...before];
    this.#now = apiTime(now);
  }

  set(type: string, status: 'True' | 'False', reason: string, message: string): void {
    const index = this.list.findIndex((condition) => condition.type === type);
    const before = this.list[index];
    const same = before?.status === status ? before.lastTransitionTime : undefined;
    const condition: Condition = { type, status, lastTransitionTime: same ?? this.#now, reason, message };
    if (index < 0) this.list.push(condition);
    else this.list[index] = condition;
  }

  /** AbleToScale and ScalingLimited for a replica count that the metrics led to. */
  describe({ stabilized, limited }: NormalizedReplicas): void {
    const which = stabilized === 'ScaleUpStabilized' ? 'lowest' : 'highest';
    const than = which === 'lowest' ? 'lower' : 'higher';
    if (stabilized) {
      const message = `recent recommendations were ${than} than current one, applying the ${which} recent recommendation`;
      this.set('AbleToScale', 'True', stabilized, message);
    } else {
      this.set('AbleToScale', 'True', 'ReadyForNewScale', 'recommended size matches current size');
    }
    if (limited) this.set('ScalingLimited', 'True', limited.reason, limited.message);
    else
      this.set(
        'ScalingLimited',
        'False',
        'DesiredWithinRange',
        'the desired count is within the acceptable range',
      );
  }
}

function statusOf(
  before: AutoscalerStatus,
  now: {
    current: number;
    desired: number;
    metrics: AutoscalerStatus['currentMetrics'];
    conditions: Conditions;
  },
): AutoscalerStatus {
  return {
    ...(before.lastScaleTime === undefined ? {} : { lastScaleTime: before.lastScaleTime }),
    ...(now.current > 0 ? { currentReplicas: now.current } : {}),
    desiredReplicas: now.desired,
    currentMetrics: now.metrics,
    conditions: now.conditions.list,
  };
}

function text(error: unknown, signal: AbortSignal): string {
  if (signal.aborted || !(error instanceof Error)) throw error;
  return error.message;
}
