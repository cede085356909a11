import { Controller, type ReconcileResult } from '../../../operator/kube/controller.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import { keyOf } from '../../../operator/kube/key.ts';
import type { OwnerReference } from '../../../operator/kube/object.ts';
import { ownerKeys } from '../../../operator/kube/owner-keys.ts';
import { controllerOf, controllerReference } from '../../../operator/kube/owner-reference.ts';
import { PODS, REPLICA_SETS } from '../../../operator/kube/resource-types.ts';
import type { Store } from '../../../operator/kube/store.ts';
import { matchesSelector } from '../../../operator/values/label-selector.ts';
import type { Pod, ReplicaSet, WorkloadCondition } from '../kinds.ts';
import { isFinished, isReady } from '../node/pod.ts';
import { apiTime } from '../node/timing.ts';
import type { ControllerContext } from './controller-context.ts';
import { patchStatus } from './patch-status.ts';
import { PendingCreates } from './pending-creates.ts';
import { unlessGone } from './unless-gone.ts';
import { replicasOf } from './workload.ts';

/** Most pods that one reconcile creates or deletes (burstReplicas of kube-controller-manager). */
const BURST = 500;

/** ReplicaSets to Pods. */
export function replicaSetController(context: ControllerContext): Controller {
  const { stores, log } = context;
  const reconciler = new ReplicaSetReconciler(context);
  const controller = new Controller({
    name: 'replicaset',
    log,
    reconcile: unlessGone((key, { signal }) => reconciler.reconcile(key, signal)),
  });
  controller.watch(stores.replicaSets);
  controller.watch(stores.pods, {
    map: (pod) => (controllerOf(pod) ? ownerKeys('ReplicaSet')(pod) : claimants(stores.replicaSets, pod)),
  });
  return controller;
}

/** ReplicaSets that would adopt a pod without a controller. */
function claimants(sets: Store<ReplicaSet>, pod: Pod): string[] {
  return sets
    .list()
    .filter(
      ({ metadata, spec }) =>
        metadata.namespace === pod.metadata.namespace && matchesSelector(spec.selector, pod.metadata.labels),
    )
    .map(keyOf);
}

class ReplicaSetReconciler {
  readonly #context: ControllerContext;
  readonly #created: PendingCreates<Pod>;
  /** UIDs of pods whose deletion was requested. */
  readonly #deleted = new Set<string>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#created = new PendingCreates(context.stores.pods);
    context.stores.pods.subscribe(({ old, new: pod }) => {
      if (old && old.metadata.uid !== pod?.metadata.uid) this.#deleted.delete(old.metadata.uid ?? '');
    });
  }

  // biome-ignore lint/suspicious/noConfusingVoidType: as the controller expects it
  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult | void> {
    const set = this.#context.stores.replicaSets.get(key);
    if (!set) return;
    await this.#claim(set, signal);
    const pods = this.#podsOf(set);
    const active = pods.filter((pod) => !this.#isLeaving(pod) && !isFinished(pod));
    let failure: Error | undefined;
    if (!set.metadata.deletionTimestamp) {
      try {
        const missing = replicasOf(set) - active.length;
        if (missing > 0) await this.#create(set, Math.min(missing, BURST), signal);
        else if (missing < 0) await this.#delete(set, active, Math.min(-missing, BURST), signal);
      } catch (error) {
        if (!isKubeError(error)) throw error;
        failure = error;
      }
    }
    // From the watch cache alone: a pod that was just created counts once it is observed.
    const requeueAfterMs = await this.#writeStatus(set, failure, signal);
    if (failure) throw failure;
    return { requeueAfterMs };
  }

  /** Pods that the set owns and its selector matches. Pods that are being released are not among them. */
  #podsOf(set: ReplicaSet): Pod[] {
    return [...this.#seenPodsOf(set), ...this.#created.of(set.metadata.uid ?? '')];
  }

  #seenPodsOf({ metadata, spec }: ReplicaSet): Pod[] {
    return this.#context.stores.pods
      .byOwner(metadata.uid ?? '')
      .filter((pod) => matchesSelector(spec.selector, pod.metadata.labels));
  }

  /**
   * Releases pods that its selector no longer matches, and adopts matching pods without a controller, as
   * kube-controller-manager does (PodControllerRefManager.ClaimPods).
   */
  async #claim(set: ReplicaSet, signal: AbortSignal): Promise<void> {
    const { stores } = this.#context;
    if (set.metadata.deletionTimestamp) return;
    const uid = set.metadata.uid ?? '';
    const released = stores.pods
      .byOwner(uid)
      .filter((pod) => !matchesSelector(set.spec.selector, pod.metadata.labels));
    const adopted = stores.pods
      .byIndex('orphansByNamespace', set.metadata.namespace ?? '')
      .filter(
        (pod) =>
          !pod.metadata.deletionTimestamp &&
          !isFinished(pod) &&
          matchesSelector(set.spec.selector, pod.metadata.labels),
      );
    for (const pod of released) {
      const owners = (pod.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid);
      await this.#setOwners(pod, owners, signal);
    }
    for (const pod of adopted) {
      const owners = [...(pod.metadata.ownerReferences ?? []), controllerReference(set)];
      await this.#setOwners(pod, owners, signal);
    }
  }

  async #setOwners(pod: Pod, ownerReferences: OwnerReference[], signal: AbortSignal): Promise<void> {
    const { name, namespace = '', uid, resourceVersion } = pod.metadata;
    const merge = { metadata: { uid, resourceVersion, ownerReferences } };
    try {
      await this.#context.client.patch(PODS, { namespace, name }, { merge }, { signal });
    } catch (error) {
      if (!isKubeError(error, 'NotFound')) throw error;
    }
  }

  #isLeaving(pod: Pod): boolean {
    return pod.metadata.deletionTimestamp !== undefined || this.#deleted.has(pod.metadata.uid ?? '');
  }

  async #create(set: ReplicaSet, count: number, signal: AbortSignal): Promise<void> {
    const { client, events } = this.#context;
    const uid = set.metadata.uid ?? '';
    await Promise.all(
      Array.from({ length: count }, async () => {
        const pod = await client.create<Pod>(PODS, podOf(set), { signal });
        this.#created.add(uid, pod);
        const note = `Created pod: ${pod.metadata.name}`;
        events.emit(set, { type: 'Normal', reason: 'SuccessfulCreate', action: 'Create', note });
      }),
    );
  }

  async #delete(set: ReplicaSet, active: Pod[], count: number, signal: AbortSignal): Promise<void> {
    const { client, events } = this.#context;
    await Promise.all(
      active
        .sort(byUsefulness)
        .slice(0, count)
        .map(async ({ metadata: { name, namespace = '', uid = '' } }) => {
          this.#deleted.add(uid);
          try {
            await client.delete(PODS, { namespace, name }, { preconditions: { uid }, signal });
            const note = `Deleted pod: ${name}`;
            events.emit(set, { type: 'Normal', reason: 'SuccessfulDelete', action: 'Delete', note });
          } catch (error) {
            this.#deleted.delete(uid);
            if (!isKubeError(error, 'NotFound', 'Conflict')) throw error;
          }
        }),
    );
  }

  /** Returns when a ready pod becomes available, if one will by time alone. */
  async #writeStatus(
    set: ReplicaSet,
    failure: Error | undefined,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { client, now } = this.#context;
    const pods = this.#seenPodsOf(set).filter((pod) => !isFinished(pod));
    const active = pods.filter((pod) => !pod.metadata.deletionTimestamp);
    const ready = active.filter(isReady);
    const waits = ready.map((pod) => availableIn(pod, set.spec.minReadySeconds ?? 0, now()));
    const labels = set.spec.template.metadata?.labels ?? {};
    const counts = {
      fullyLabeledReplicas: active.filter((pod) =>
        matchesSelector({ matchLabels: labels }, pod.metadata.labels),
      ).length,
      readyReplicas: ready.length,
      availableReplicas: waits.filter((wait) => wait === 0).length,
    };
    const conditions = failureConditions(set, failure, now());
    const status = {
      replicas: active.length,
      ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
      terminatingReplicas: pods.length - active.length,
      observedGeneration: set.metadata.generation ?? 0,
      ...(conditions.length > 0 ? { conditions } : {}),
    };
    await patchStatus(client, REPLICA_SETS, set, { status }, signal);
    const pending = waits.filter((wait) => wait > 0);
    return pending.length > 0 ? Math.min(...pending) : undefined;
  }
}

/** Without a name: the server makes one. */
function podOf(set: ReplicaSet): Pod {
  const { metadata, spec } = set.spec.template;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `${set.metadata.name}-`,
      namespace: set.metadata.namespace ?? '',
      ...(metadata?.labels ? { labels: metadata.labels } : {}),
      ...(metadata?.annotations ? { annotations: metadata.annotations } : {}),
      ...(metadata?.finalizers ? { finalizers: metadata.finalizers } : {}),
      ownerReferences: [controllerReference(set)],
    },
    spec,
  };
  return pod as unknown as Pod;
}

/** The order in which a scale-down deletes pods: not bound, not running, not ready, youngest. */
function byUsefulness(a: Pod, b: Pod): number {
  const rank = (pod: Pod): number[] => [
    pod.spec.nodeName ? 1 : 0,
    pod.status?.phase === 'Running' ? 1 : 0,
    isReady(pod) ? 1 : 0,
    Number(deletionCost(pod)),
    -Date.parse(pod.metadata.creationTimestamp ?? ''),
  ];
  const other = rank(b);
  for (const [index, value] of rank(a).entries()) {
    const difference = value - (other[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function deletionCost(pod: Pod): number {
  return Number(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0);
}

/** Milliseconds until a ready pod is available. */
function availableIn(pod: Pod, minReadySeconds: number, now: Date): number {
  const since = Date.parse(pod.status?.conditions?.find((c) => c.type === 'Ready')?.lastTransitionTime ?? '');
  if (minReadySeconds === 0 || Number.isNaN(since)) return 0;
  return Math.max(0, since + minReadySeconds * 1000 - now.getTime());
}

function failureConditions(set: ReplicaSet, failure: Error | undefined, now: Date): WorkloadCondition[] {
  if (!failure) return [];
  const before = set.status?.conditions?.find((c) => c.type === 'ReplicaFailure');
  return [
    {
      type: 'ReplicaFailure',
      status: 'True',
      lastTransitionTime: before?.lastTransitionTime ?? apiTime(now),
      reason: 'FailedCreate',
      message: failure.message,
    },
  ];
}
