import { Controller } from '../../../operator/kube/controller.ts';
import { keyOf } from '../../../operator/kube/key.ts';
import { POD_DISRUPTION_BUDGETS } from '../../../operator/kube/resource-types.ts';
import { matchesSelector } from '../../../operator/values/label-selector.ts';
import type { Pod, PodDisruptionBudget } from '../kinds.ts';
import { isFinished, isReady } from '../node/pod.ts';
import { apiTime } from '../node/timing.ts';
import type { ControllerContext } from './controller-context.ts';
import { patchStatus } from './patch-status.ts';
import { unlessGone } from './unless-gone.ts';
import { replicasOf } from './workload.ts';

/** Updates the status of PodDisruptionBudgets, which decides whether an eviction is allowed. */
export function disruptionController(context: ControllerContext): Controller {
  const { stores, log } = context;
  const controller = new Controller({
    name: 'disruption',
    log,
    reconcile: unlessGone((key, { signal }) => reconcileBudget(context, key, signal)),
  });
  controller.watch(stores.disruptionBudgets);
  controller.watch(stores.pods, {
    map: (pod) =>
      stores.disruptionBudgets
        .byIndex('byNamespace', pod.metadata.namespace ?? '')
        .filter((budget) => selects(budget, pod))
        .map(keyOf),
  });
  return controller;
}

async function reconcileBudget(context: ControllerContext, key: string, signal: AbortSignal): Promise<void> {
  const { stores, client, now } = context;
  const budget = stores.disruptionBudgets.get(key);
  if (!budget || budget.metadata.deletionTimestamp) return;
  const pods = stores.pods
    .byIndex('byNamespace', budget.metadata.namespace ?? '')
    .filter((pod) => selects(budget, pod) && !isFinished(pod));
  const expectedPods = expected(context, pods);
  const { minAvailable, maxUnavailable } = budget.spec;
  const desiredHealthy =
    maxUnavailable !== undefined
      ? Math.max(0, expectedPods - resolve(maxUnavailable, expectedPods))
      : typeof minAvailable === 'number'
        ? minAvailable
        : resolve(minAvailable ?? 0, expectedPods);
  const currentHealthy = pods.filter((pod) => isReady(pod) && !pod.metadata.deletionTimestamp).length;
  const disruptionsAllowed = expectedPods <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  const allowed = disruptionsAllowed > 0;
  const before = budget.status?.conditions?.find((c) => c.type === 'DisruptionAllowed');
  const condition = {
    type: 'DisruptionAllowed',
    status: allowed ? ('True' as const) : ('False' as const),
    reason: allowed ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    observedGeneration: budget.metadata.generation ?? 0,
    lastTransitionTime:
      before?.status === (allowed ? 'True' : 'False') ? (before.lastTransitionTime ?? '') : apiTime(now()),
  };
  const status = {
    ...budget.status,
    observedGeneration: budget.metadata.generation ?? 0,
    disruptionsAllowed,
    currentHealthy,
    desiredHealthy,
    expectedPods,
    conditions: [condition],
  };
  await patchStatus(client, POD_DISRUPTION_BUDGETS, budget, { status }, signal);
}

/** The sum of the desired replicas of the pods' owners. A pod without an owner counts as one. */
function expected({ stores }: ControllerContext, pods: readonly Pod[]): number {
  const counts = new Map<string, number>();
  for (const { metadata } of pods) {
    const namespace = metadata.namespace ?? '';
    const owner = metadata.ownerReferences?.find((reference) => reference.controller);
    const set = owner && stores.replicaSets.get({ namespace, name: owner.name });
    const parent = set?.metadata.ownerReferences?.find((reference) => reference.controller);
    // The controller of a pod may also be the Deployment itself: any kind with a scale counts.
    const named = owner?.kind === 'Deployment' ? owner : parent;
    const deployment = named && stores.deployments.get({ namespace, name: named.name });
    const workload = deployment ?? set;
    counts.set(workload?.metadata.uid ?? metadata.uid ?? '', workload ? replicasOf(workload) : 1);
  }
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

function selects(budget: PodDisruptionBudget, pod: Pod): boolean {
  const { selector } = budget.spec;
  return selector !== undefined && matchesSelector(selector, pod.metadata.labels);
}

function resolve(value: number | string, total: number): number {
  return typeof value === 'number' ? value : Math.ceil((Number.parseFloat(value) / 100) * total);
}
