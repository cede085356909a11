import type { Pod } from '../kinds.ts';
import { podRequests, type Resources } from './scheduler-fit.ts';

/** The sum of the requests of the pods on each node. */
export class NodeUsage {
  readonly #pods = new Map<string, { node: string; requests: Resources }>();
  readonly #nodes = new Map<string, Record<string, number>>();

  /** Counts a pod on a node. Adding it again has no effect. */
  add(pod: Pod, node: string): void {
    const uid = pod.metadata.uid ?? '';
    if (this.#pods.has(uid)) return;
    const requests = podRequests(pod);
    this.#pods.set(uid, { node, requests });
    this.#count(node, requests, 1);
  }

  /** Returns true when the pod was counted. */
  remove(pod: Pod): boolean {
    const uid = pod.metadata.uid ?? '';
    const counted = this.#pods.get(uid);
    if (!counted) return false;
    this.#pods.delete(uid);
    this.#count(counted.node, counted.requests, -1);
    return true;
  }

  has(pod: Pod): boolean {
    return this.#pods.has(pod.metadata.uid ?? '');
  }

  of(node: string): Resources {
    return this.#nodes.get(node) ?? {};
  }

  #count(node: string, requests: Resources, sign: 1 | -1): void {
    const total = this.#nodes.get(node) ?? {};
    for (const [name, amount] of Object.entries(requests)) total[name] = (total[name] ?? 0) + sign * amount;
    this.#nodes.set(node, total);
  }
}
