/**
 * Moves the engines of a model off nodes that are about to be removed. Starts a replacement first if the budget allows,
 * and drains the engine otherwise.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Counter, Registry } from 'prom-client';
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import { isKubeError } from '../../kube/errors.ts';
import type { EventRecorder } from '../../kube/events.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import type { Logger } from '../../kube/logger.ts';
import { counter } from '../../kube/metrics.ts';
import { controllerReference } from '../../kube/owner-reference.ts';
import { PerObject } from '../../kube/per-object.ts';
import { PODS } from '../../kube/resource-types.ts';
import { drainTimeoutSeconds } from '../../model/drain-timeout.ts';
import { poolKeyOf } from '../../model/pool-key.ts';
import { EVACUATING_LABEL } from '../../render/labels.ts';
import { engineKeyOf } from '../../render/names.ts';
import { isHeldBack } from '../../scaling/phase.ts';
import type { AcceleratorBudget } from '../scaling/accelerator-budget.ts';
import type { LifecyclesView } from '../scaling/lifecycles.ts';
import type { ReplicasView } from '../scaling/replicas-writer.ts';
import { type ClusterState, podsOf } from '../shared/cluster-state.ts';
import type { Departures } from '../shared/departures.ts';
import { NOTICE_ANNOTATION } from '../shared/trim-pod.ts';
import { type Deployment, isReleased, type Pod } from '../shared/workloads.ts';
import { type EvacuationStep, type PodNotice, planEvacuation } from './evacuation-plan.ts';
import { repels } from './eviction-notice.ts';
import type { NodeNotices } from './node-notices.ts';

export interface EvacuationOptions {
  client: KubeClient;
  state: ClusterState;
  nodes: Pick<NodeNotices, 'of'>;
  budget: AcceleratorBudget;
  lifecycles: LifecyclesView;
  replicas: ReplicasView;
  departures: Departures;
  events: EventRecorder;
  clock: Clock;
  registry: Registry;
  /** Whether all routers have confirmed that no engine of the model gets new requests, and none has requests in flight. */
  isIdle: (poolKey: Key, modelUid: string) => boolean;
  /** Called when the route table of the pool has to change. */
  onChanged: (poolKey: Key) => void;
}

interface Scope {
  model: InferenceModel;
  pool: InferencePool;
  deployment: Deployment;
  uid: string;
}

/** State recorded for a pod with a notice. */
interface Notified {
  /** When the notice was first seen, in monotonic milliseconds. */
  since: number;
  /** The last step that was reported in an event. */
  reported?: EvacuationStep['do'];
  /** The pod has been deleted by this process. */
  deleted?: boolean;
}

/** The label by which a ReplicaSet selects its pods. */
const TEMPLATE_HASH_LABEL = 'pod-template-hash';
/** Interval for changes that no watch reports: room in the budget, and requests that end. */
const REQUEUE_AFTER_MS = 1_000;

export class Evacuation {
  readonly #options: EvacuationOptions;
  /** By pod. */
  readonly #leaving: PerObject<Notified>;
  readonly #notices: Counter<'source' | 'action'>;

  constructor(options: EvacuationOptions) {
    this.#options = options;
    this.#notices = counter(options.registry, {
      name: 'vllm_operator_eviction_notices_total',
      help: 'Engines whose end was announced, by what announced it and what was done first.',
      labelNames: ['source', 'action'],
    });
    this.#leaving = new PerObject(options.state.pods.store);
  }

  /** Reconciles the engine pods of one model. Throws KubeError. */
  async reconcile(
    key: Key,
    { signal, log }: { signal: AbortSignal; log: Logger },
  ): Promise<{ requeueAfterMs: number } | undefined> {
    const scope = this.#scope(key);
    if (!scope) return undefined;
    const { model, pool, deployment, uid } = scope;
    const { departures, lifecycles, replicas } = this.#options;
    const pods = podsOf(this.#options.state, {
      namespace: model.metadata.namespace ?? '',
      name: model.metadata.name,
    });
    const notices = new Map<Pod, PodNotice>();
    for (const pod of pods) {
      const notice = this.#notice(pool, pod);
      if (notice) notices.set(pod, notice);
    }
    if (notices.size === 0 && !departures.has(uid)) return undefined;
    for (const pod of pods) {
      if (notices.has(pod)) this.#of(pod);
      else this.#leaving.delete(pod.metadata.uid);
    }
    const isDraining = isHeldBack(lifecycles.of(uid).phase);
    const plan = planEvacuation({
      pods,
      noticeOf: (pod) => notices.get(pod),
      isReleased: (pod) => isReleased(pod) || departures.isReleasing(uid, pod.metadata.uid ?? ''),
      desired: replicas.of(uid, deployment),
      isDraining,
      room: () => this.#options.budget.room(pool, model, this.#options.clock.monotonic()),
      isDrained: (pod) => this.#isDrained(scope, pod),
    });
    if (!isDeepStrictEqual(departures.leaving(uid), plan.leaving)) {
      departures.setLeaving(uid, plan.leaving);
      this.#options.onChanged(keyOf(pool));
    }
    const replaced = plan.steps.filter((step) => step.do === 'replace');
    // The budget counts the release from now on, because other models are decided on while the writes are in flight.
    departures.setReleasing(uid, stillReleasing(departures.releasing(uid), pods, replaced));
    for (const step of plan.steps) this.#report(scope, step, log);
    await Promise.all(plan.steps.map((step) => this.#act(scope, step, signal)));
    const waits =
      (isDraining && notices.size > 0) ||
      plan.steps.some((step) => step.do === 'drain' || step.do === 'keep');
    return waits ? { requeueAfterMs: REQUEUE_AFTER_MS } : undefined;
  }

  #scope(key: Key): Scope | undefined {
    const { state } = this.#options;
    const model = state.models.store.get(key);
    if (!model || model.metadata.deletionTimestamp !== undefined) return undefined;
    const pool = state.pools.store.get(poolKeyOf(model));
    const deployment = state.deployments.store.get(engineKeyOf(model));
    if (!pool || !deployment) return undefined;
    return { model, pool, deployment, uid: model.metadata.uid ?? '' };
  }

  #notice(pool: InferencePool, pod: Pod): PodNotice | undefined {
    const source = pod.metadata.annotations?.[NOTICE_ANNOTATION];
    if (isReleased(pod)) return { source: source ?? EVACUATING_LABEL, certain: true, repelled: true };
    const { nodeName } = pod.spec;
    const notice =
      pool.spec.accelerator.spot === true && nodeName ? this.#options.nodes.of(nodeName) : undefined;
    if (notice) return { source: notice.source, certain: notice.certain, repelled: repels(notice, pod) };
    const isTarget = pod.status?.conditions?.some(
      ({ type, status }) => type === 'DisruptionTarget' && status === 'True',
    );
    return isTarget ? { source: 'DisruptionTarget', certain: true, repelled: false } : undefined;
  }

  #of({ metadata: { uid } }: Pod): Notified {
    return this.#leaving.getOr(uid, () => ({ since: this.#options.clock.monotonic() }));
  }

  #isDrained({ model, pool }: Scope, pod: Pod): boolean {
    const waited = this.#options.clock.monotonic() - this.#of(pod).since;
    if (waited >= drainTimeoutSeconds(model.spec.engine, pool.spec.engine) * 1_000) return true;
    return this.#options.isIdle(keyOf(pool), model.metadata.uid ?? '');
  }

  /** Emits one event per step and pod, and counts each pod once. */
  #report({ model }: Scope, step: EvacuationStep, log: Logger): void {
    const { pod, notice } = step;
    const notified = this.#of(pod);
    if (notified.reported === step.do) return;
    const isFirst = notified.reported === undefined && !isReleased(pod);
    notified.reported = step.do;
    const facts = { pod: pod.metadata.name, node: pod.spec.nodeName, notice: notice.source, action: step.do };
    log.info(facts, 'engine is leaving its node');
    if (isFirst) this.#notices.inc({ source: notice.source, action: step.do });
    const isOver = step.do === 'delete' && !isFirst;
    this.#options.events.emit(model, {
      type: isOver ? 'Normal' : 'Warning',
      reason: isOver ? 'Evacuated' : 'EvictionNotice',
      action: 'Evacuate',
      note: `pod ${facts.pod} on node ${facts.node} (${notice.source}): ${isOver ? OVER : NOTES[step.do]}`,
      related: pod,
    });
  }

  async #act(scope: Scope, step: EvacuationStep, signal: AbortSignal): Promise<void> {
    if (step.do === 'replace') await this.#release(scope, step, signal);
    if (step.do === 'delete') await this.#delete(step.pod, signal);
  }

  /**
   * Makes the Deployment the owner of the pod instead of its ReplicaSet, which then creates a replacement. As before,
   * the PodDisruptionBudget counts the Deployment's replicas, `kubectl drain` finds a controller, and the pod is
   * deleted with the Deployment. The Service keeps selecting the pod.
   */
  async #release(
    { deployment, uid: modelUid }: Scope,
    { pod, notice }: EvacuationStep,
    signal: AbortSignal,
  ): Promise<void> {
    const { name, namespace = '', uid = '', resourceVersion } = pod.metadata;
    // blockOwnerDeletion would need permission to update the finalizers of Deployments, and nothing waits for this pod.
    const owner = { ...controllerReference(deployment), blockOwnerDeletion: false };
    const metadata = {
      uid,
      resourceVersion,
      labels: { [EVACUATING_LABEL]: 'true', [TEMPLATE_HASH_LABEL]: null },
      annotations: { [NOTICE_ANNOTATION]: notice.source },
      ownerReferences: [owner],
    };
    try {
      await this.#options.client.patch(PODS, { namespace, name }, { merge: { metadata } }, { signal });
    } catch (error) {
      const { departures } = this.#options;
      departures.setReleasing(modelUid, without(departures.releasing(modelUid), uid));
      if (!isKubeError(error, 'NotFound')) throw error;
    }
  }

  async #delete(pod: Pod, signal: AbortSignal): Promise<void> {
    const { name, namespace = '', uid = '' } = pod.metadata;
    const notified = this.#of(pod);
    if (notified.deleted) return;
    try {
      await this.#options.client.delete(PODS, { namespace, name }, { preconditions: { uid }, signal });
      notified.deleted = true;
    } catch (error) {
      if (!isKubeError(error, 'NotFound', 'Conflict')) throw error;
    }
  }
}

const OVER = 'it finishes its requests and is deleted';
const NOTES: Record<EvacuationStep['do'], string> = {
  replace: 'a replacement starts now; this engine serves until it is ready',
  drain:
    'the accelerator budget has no room for a replacement; the engine gets no new requests, finishes those in flight and is deleted',
  keep: 'the node may be removed, but the accelerator budget has no room for a replacement; the engine keeps serving',
  delete: 'the engine was not ready yet and is replaced at once',
};

/** UIDs recorded before that the cache does not show as released yet, and the new ones. */
function stillReleasing(
  before: ReadonlySet<string>,
  pods: readonly Pod[],
  replaced: readonly EvacuationStep[],
): ReadonlySet<string> {
  const pending = pods.filter((pod) => before.has(pod.metadata.uid ?? '') && !isReleased(pod));
  return new Set([...pending, ...replaced.map(({ pod }) => pod)].map(({ metadata }) => metadata.uid ?? ''));
}

function without(uids: ReadonlySet<string>, uid: string): ReadonlySet<string> {
  return new Set([...uids].filter((other) => other !== uid));
}
