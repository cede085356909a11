import { Controller, type ReconcileResult } from '../../../operator/kube/controller.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import { ownerKeys } from '../../../operator/kube/owner-keys.ts';
import { DEPLOYMENTS, REPLICA_SETS } from '../../../operator/kube/resource-types.ts';
import type { Deployment, ReplicaSet } from '../kinds.ts';
import { isFinished } from '../node/pod.ts';
import type { ControllerContext } from './controller-context.ts';
import { withCondition } from './deployment-conditions.ts';
import { deadlineIn, deploymentStatus, isComplete } from './deployment-status.ts';
import { patchStatus } from './patch-status.ts';
import {
  newReplicaSetSize,
  planRollingUpdate,
  planScaling,
  type RolloutPlan,
  rolloutBounds,
} from './rollout-plan.ts';
import { sameTemplate, templateHash } from './template-hash.ts';
import { unlessGone } from './unless-gone.ts';
import { DESIRED_REPLICAS, MAX_REPLICAS, REVISION, replicasOf, TEMPLATE_HASH } from './workload.ts';

/** Annotations of a Deployment that its ReplicaSets do not get. */
const OWN_ANNOTATIONS = new Set([
  REVISION,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'kubectl.kubernetes.io/last-applied-configuration',
]);

/** Deployments to ReplicaSets: rolling updates, recreation, scaling, revisions and status, as kube-controller-manager does. */
export function deploymentController(context: ControllerContext): Controller {
  const { stores, log } = context;
  const reconciler = new DeploymentReconciler(context);
  const controller = new Controller({
    name: 'deployment',
    log,
    reconcile: unlessGone((key, { signal }) => reconciler.reconcile(key, signal)),
  });
  controller.watch(stores.deployments);
  controller.watch(stores.replicaSets, { map: ownerKeys('Deployment') });
  // The strategy Recreate waits for the old pods to end.
  controller.watch(stores.pods, {
    map: (pod) => {
      const set = pod.metadata.ownerReferences?.find(
        (owner) => owner.controller && owner.kind === 'ReplicaSet',
      );
      const owner =
        set && stores.replicaSets.get({ namespace: pod.metadata.namespace ?? '', name: set.name });
      const deployment = owner && stores.deployments.get(ownerKeys('Deployment')(owner)[0] ?? '');
      return deployment?.spec.strategy?.type === 'Recreate'
        ? ownerKeys('Deployment')(owner ?? deployment)
        : [];
    },
  });
  return controller;
}

class DeploymentReconciler {
  readonly #context: ControllerContext;

  constructor(context: ControllerContext) {
    this.#context = context;
  }

  // biome-ignore lint/suspicious/noConfusingVoidType: as the controller expects it
  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult | void> {
    const { stores, now } = this.#context;
    const deployment = stores.deployments.get(key);
    if (!deployment || deployment.metadata.deletionTimestamp) return;
    const sets = stores.replicaSets
      .byOwner(deployment.metadata.uid ?? '')
      .filter((s) => !s.metadata.deletionTimestamp);
    const current = sets.find((set) => sameTemplate(set.spec.template, deployment.spec.template));
    const old = sets.filter((set) => set !== current);

    if (deployment.spec.paused || this.#wasScaled(deployment, sets)) {
      await this.#resize(deployment, sets, planScaling(deployment, current, old), signal);
    } else if (!current) {
      if (!this.#mayCreate(deployment, old)) {
        await this.#resize(deployment, sets, new Map(old.map((set) => [set.metadata.name, 0])), signal);
      } else if (await this.#create(deployment, old, signal)) {
        return;
      }
    } else {
      const recreate = deployment.spec.strategy?.type === 'Recreate';
      const plan = recreate
        ? this.#planRecreation(deployment, current, old)
        : planRollingUpdate(deployment, current, old);
      if (!plan.has(current.metadata.name)) await this.#adopt(deployment, current, old, signal);
      await this.#resize(deployment, sets, plan, signal);
    }

    const status = deploymentStatus(deployment, current, sets, now());
    const revision = current?.metadata.annotations?.[REVISION];
    const annotations = revision === undefined ? {} : { [REVISION]: revision };
    await patchStatus(this.#context.client, DEPLOYMENTS, deployment, { status, annotations }, signal);
    if (isComplete(deployment, status)) await this.#removeHistory(deployment, old, signal);
    return { requeueAfterMs: deadlineIn(deployment, status, now()) };
  }

  /** True when `spec.replicas` is not what the ReplicaSets were sized for. */
  #wasScaled(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
    const desired = String(replicasOf(deployment));
    return sets.some((set) => {
      const noted = set.metadata.annotations?.[DESIRED_REPLICAS];
      return replicasOf(set) > 0 && noted !== undefined && noted !== desired;
    });
  }

  #planRecreation(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): RolloutPlan {
    const shrink = old.filter((set) => replicasOf(set) > 0).map((set) => [set.metadata.name, 0] as const);
    if (shrink.length > 0 || this.#hasPods(old)) return new Map(shrink);
    return new Map([[current.metadata.name, replicasOf(deployment)]]);
  }

  /** With the strategy Recreate, the new ReplicaSet is created only when no old pod is left. */
  #mayCreate(deployment: Deployment, old: readonly ReplicaSet[]): boolean {
    if (deployment.spec.strategy?.type !== 'Recreate') return true;
    return old.every((set) => replicasOf(set) === 0) && !this.#hasPods(old);
  }

  #hasPods(sets: readonly ReplicaSet[]): boolean {
    return sets.some((set) =>
      this.#context.stores.pods.byOwner(set.metadata.uid ?? '').some((pod) => !isFinished(pod)),
    );
  }

  /** Returns true when a ReplicaSet was created: the reconcile ends here, and goes on once the watch cache has it. */
  async #create(deployment: Deployment, old: readonly ReplicaSet[], signal: AbortSignal): Promise<boolean> {
    const { client, now } = this.#context;
    const set = await this.#createOrGet(deployment, old, signal);
    const size = replicasOf(set);
    if (size > 0) this.#scaled(deployment, set.metadata.name, 0, size);
    const reason = {
      reason: 'NewReplicaSetCreated',
      message: `Created new replica set "${set.metadata.name}"`,
    };
    const conditions = withCondition(
      deployment.status?.conditions ?? [],
      { type: 'Progressing', status: 'True', ...reason },
      now(),
    );
    const annotations = { [REVISION]: set.metadata.annotations?.[REVISION] ?? '1' };
    const status = { ...deployment.status, conditions };
    await patchStatus(client, DEPLOYMENTS, deployment, { status, annotations }, signal);
    return true;
  }

  async #createOrGet(
    deployment: Deployment,
    old: readonly ReplicaSet[],
    signal: AbortSignal,
  ): Promise<ReplicaSet> {
    const { client } = this.#context;
    const set = this.#render(deployment, old, templateHash(deployment.spec.template));
    try {
      return await client.create<ReplicaSet>(REPLICA_SETS, set, { signal });
    } catch (error) {
      // The watch cache does not have it yet.
      if (!isKubeError(error, 'AlreadyExists')) throw error;
      const { name, namespace = '' } = set.metadata;
      return await client.get<ReplicaSet>(REPLICA_SETS, { namespace, name }, { signal });
    }
  }

  #render(deployment: Deployment, old: readonly ReplicaSet[], hash: string): ReplicaSet {
    const { spec, metadata } = deployment;
    const labels = { ...spec.template.metadata?.labels, [TEMPLATE_HASH]: hash };
    const size = newReplicaSetSize(deployment, old, 0);
    return {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `${metadata.name}-${hash}`,
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        labels,
        annotations: { ...this.#annotations(deployment), [REVISION]: String(lastRevision(old) + 1) },
        ownerReferences: [
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            name: metadata.name,
            uid: metadata.uid ?? '',
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      spec: {
        replicas: size,
        ...(spec.minReadySeconds ? { minReadySeconds: spec.minReadySeconds } : {}),
        selector: {
          ...spec.selector,
          matchLabels: { ...spec.selector.matchLabels, [TEMPLATE_HASH]: hash },
        },
        template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
      },
    };
  }

  #annotations(deployment: Deployment): Record<string, string> {
    const inherited = Object.entries(deployment.metadata.annotations ?? {}).filter(
      ([name]) => !OWN_ANNOTATIONS.has(name),
    );
    const replicas = replicasOf(deployment);
    return {
      ...Object.fromEntries(inherited),
      [DESIRED_REPLICAS]: String(replicas),
      [MAX_REPLICAS]: String(replicas + rolloutBounds(deployment).maxSurge),
    };
  }

  /** Brings the annotations of the current ReplicaSet up to date; after a rollback it gets the newest revision. */
  async #adopt(
    deployment: Deployment,
    current: ReplicaSet,
    old: readonly ReplicaSet[],
    signal: AbortSignal,
  ): Promise<void> {
    const last = lastRevision(old);
    const own = Number(current.metadata.annotations?.[REVISION] ?? 0);
    const wanted = { ...this.#annotations(deployment), [REVISION]: String(own > last ? own : last + 1) };
    const stale = Object.entries(wanted).some(
      ([name, value]) => current.metadata.annotations?.[name] !== value,
    );
    if (!stale) return;
    const { name, namespace = '' } = current.metadata;
    const merge = { metadata: { annotations: wanted } };
    await this.#context.client.patch(REPLICA_SETS, { namespace, name }, { merge }, { signal });
  }

  async #resize(
    deployment: Deployment,
    sets: readonly ReplicaSet[],
    plan: RolloutPlan,
    signal: AbortSignal,
  ): Promise<void> {
    for (const set of sets) {
      const size = plan.get(set.metadata.name);
      const before = replicasOf(set);
      const annotations = this.#annotations(deployment);
      const noted = set.metadata.annotations?.[DESIRED_REPLICAS] === annotations[DESIRED_REPLICAS];
      if (size === undefined || (size === before && noted)) continue;
      const { name, namespace = '' } = set.metadata;
      const merge = { metadata: { annotations }, spec: { replicas: size } };
      await this.#context.client.patch(REPLICA_SETS, { namespace, name }, { merge }, { signal });
      if (size !== before) this.#scaled(deployment, name, before, size);
    }
  }

  #scaled(deployment: Deployment, name: string, from: number, to: number): void {
    const note = `Scaled ${to > from ? 'up' : 'down'} replica set ${name} from ${from} to ${to}`;
    this.#context.events.emit(deployment, {
      type: 'Normal',
      reason: 'ScalingReplicaSet',
      action: 'Scaling',
      note,
    });
  }

  async #removeHistory(
    deployment: Deployment,
    old: readonly ReplicaSet[],
    signal: AbortSignal,
  ): Promise<void> {
    const unused = old.filter((set) => replicasOf(set) === 0 && (set.status?.replicas ?? 0) === 0);
    const surplus = unused.length - (deployment.spec.revisionHistoryLimit ?? 10);
    if (surplus <= 0) return;
    const oldest = unused.sort((a, b) => revisionOf(a) - revisionOf(b)).slice(0, surplus);
    for (const { metadata } of oldest) {
      const key = { namespace: metadata.namespace ?? '', name: metadata.name };
      await this.#context.client.delete(REPLICA_SETS, key, { preconditions: { uid: metadata.uid }, signal });
    }
  }
}

function revisionOf(set: ReplicaSet): number {
  return Number(set.metadata.annotations?.[REVISION] ?? 0);
}

function lastRevision(sets: readonly ReplicaSet[]): number {
  return Math.max(0, ...sets.map(revisionOf));
}
