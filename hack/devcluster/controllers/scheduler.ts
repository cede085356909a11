import { Controller } from '../../../operator/kube/controller.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import { keyOf } from '../../../operator/kube/key.ts';
import { PODS } from '../../../operator/kube/resource-types.ts';
import type { NodeObject, Pod } from '../kinds.ts';
import { isFinished } from '../node/pod.ts';
import { apiTime } from '../node/timing.ts';
import type { ControllerContext } from './controller-context.ts';
import { NodeUsage } from './node-usage.ts';
import { misfit } from './scheduler-fit.ts';

/** A pod that does not fit is tried again at this interval, and at once when capacity becomes free. */
const RETRY_MS = 60_000;

/** Binds pods to nodes where their requests, node selector, affinity and tolerations allow it. */
export function scheduler(context: ControllerContext): Controller {
  const { stores, log } = context;
  const reconciler = new SchedulerReconciler(context);
  const controller = new Controller({
    name: 'scheduler',
    log,
    // One at a time, as kube-scheduler: each decision counts on the ones before it.
    concurrency: 1,
    reconcile: (key, { signal }) => reconciler.reconcile(key, signal),
  });
  controller.watch(stores.pods);
  const retryAll = (): void => {
    for (const key of reconciler.waiting()) controller.enqueue(key);
  };
  stores.pods.subscribe(({ old, new: pod }) => {
    if (reconciler.observe(old, pod)) retryAll();
  });
  stores.nodes.subscribe(retryAll);
  stores.claims.subscribe(retryAll);
  return controller;
}

class SchedulerReconciler {
  readonly #context: ControllerContext;
  /** Counts a pod from the moment it is bound; the watch cache shows that later. */
  readonly #usage = new NodeUsage();
  /** Keys of pods that fit nowhere. */
  readonly #unschedulable = new Set<string>();

  constructor(context: ControllerContext) {
    this.#context = context;
  }

  /** Oldest of the highest priority first. */
  waiting(): string[] {
    const pods = [...this.#unschedulable].flatMap((key) => this.#context.stores.pods.get(key) ?? []);
    const created = (pod: Pod): string => pod.metadata.creationTimestamp ?? '';
    return pods
      .sort((a, b) => (b.spec.priority ?? 0) - (a.spec.priority ?? 0) || created(a).localeCompare(created(b)))
      .map(keyOf);
  }

  /** Records a change. Returns whether it freed capacity. */
  observe(old: Pod | undefined, pod: Pod | undefined): boolean {
    const gone = old && old.metadata.uid !== pod?.metadata.uid ? old : undefined;
    const done = gone ?? (pod && isFinished(pod) ? pod : undefined);
    const settled = gone ?? (pod?.spec.nodeName ? pod : undefined);
    if (settled) this.#unschedulable.delete(keyOf(settled));
    if (pod?.spec.nodeName && !isFinished(pod)) this.#usage.add(pod, pod.spec.nodeName);
    return done !== undefined && this.#usage.remove(done);
  }

  async reconcile(key: string, signal: AbortSignal): Promise<{ requeueAfterMs: number } | undefined> {
    const { stores, client, events } = this.#context;
    const pod = stores.pods.get(key);
    const uid = pod?.metadata.uid ?? '';
    const named = (pod?.spec.schedulerName ?? 'default-scheduler') === 'default-scheduler';
    if (!pod || !named || pod.spec.nodeName || pod.metadata.deletionTimestamp || this.#usage.has(pod))
      return undefined;
    if ((pod.spec.schedulingGates ?? []).length > 0) return undefined;
    const { name, namespace = '' } = pod.metadata;
    const choice = this.#choose(pod);
    if (typeof choice === 'string') {
      this.#unschedulable.add(key);
      await this.#report(pod, choice, signal);
      return { requeueAfterMs: RETRY_MS };
    }
    const node = choice.metadata.name;
    this.#usage.add(pod, node);
    try {
      await client.raw({
        method: 'POST',
        path: `/api/v1/namespaces/${namespace}/pods/${name}/binding`,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          apiVersion: 'v1',
          kind: 'Binding',
          metadata: { name, namespace, uid },
          target: { apiVersion: 'v1', kind: 'Node', name: node },
        }),
        signal,
      });
    } catch (error) {
      this.#usage.remove(pod);
      if (isKubeError(error, 'NotFound', 'Conflict')) return undefined;
      throw error;
    }
    this.#unschedulable.delete(key);
    const note = `Successfully assigned ${namespace}/${name} to ${node}`;
    events.emit(pod, { type: 'Normal', reason: 'Scheduled', action: 'Binding', note });
    return undefined;
  }

  /** A node that fits, or why none does. Spreads plain pods; packs nothing, which small clusters do not need. */
  #choose(pod: Pod): NodeObject | string {
    const { nodes } = this.#context.stores;
    const missing = this.#missingClaim(pod);
    if (missing !== undefined)
      return `0/${nodes.size} nodes are available: persistentvolumeclaim "${missing}" not found. not found`;
    const problems = new Map<string, number>();
    const fitting: NodeObject[] = [];
    for (const node of nodes.list()) {
      const problem = misfit(pod, node, this.#usage.of(node.metadata.name));
      if (problem === undefined) fitting.push(node);
      else problems.set(problem, (problems.get(problem) ?? 0) + 1);
    }
    if (fitting.length === 0) {
      const reasons = [...problems].map(([problem, count]) => `${count} ${problem}`).sort();
      const total = nodes.size;
      const why =
        total === 0
          ? 'no nodes available to schedule pods'
          : `0/${total} nodes are available: ${reasons.join(', ')}.`;
      return `${why} preemption: 0/${total} nodes are available: ${total} Preemption is not helpful for scheduling.`;
    }
    const accelerators = (node: NodeObject): number =>
      Object.keys(node.status?.allocatable ?? {}).filter((name) => name.includes('/')).length;
    const load = (node: NodeObject): number => this.#usage.of(node.metadata.name).pods ?? 0;
    // Nodes with accelerators are reserved for pods that request them. Otherwise the node with the fewest pods is taken.
    const [best] = fitting.sort(
      (a, b) =>
        accelerators(a) - accelerators(b) ||
        load(a) - load(b) ||
        a.metadata.name.localeCompare(b.metadata.name),
    );
    return best ?? 'no nodes available to schedule pods';
  }

  #missingClaim({ metadata, spec }: Pod): string | undefined {
    const names = (spec.volumes ?? []).flatMap((volume) => volume.persistentVolumeClaim?.claimName ?? []);
    return names.find((name) => !this.#context.stores.claims.get(`${metadata.namespace}/${name}`));
  }

  async #report(pod: Pod, message: string, signal: AbortSignal): Promise<void> {
    const { client, events, now } = this.#context;
    const old = pod.status?.conditions?.find((c) => c.type === 'PodScheduled');
    if (old?.status === 'False' && old.message === message) return;
    events.emit(pod, { type: 'Warning', reason: 'FailedScheduling', action: 'Scheduling', note: message });
    const { name, namespace = '', uid } = pod.metadata;
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastProbeTime: null,
      lastTransitionTime: old?.status === 'False' ? old.lastTransitionTime : apiTime(now()),
    };
    const others = pod.status?.conditions?.filter((c) => c.type !== 'PodScheduled') ?? [];
    const merge = { metadata: { uid }, status: { conditions: [...others, condition] } };
    try {
      await client.patch(PODS, { namespace, name }, { merge }, { subresource: 'status', signal });
    } catch (error) {
      if (!isKubeError(error, 'NotFound', 'Conflict')) throw error;
    }
  }
}
