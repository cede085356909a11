import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { KubeClient } from '../../../operator/kube/client.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import type { EventRecorder } from '../../../operator/kube/events.ts';
import type { Logger } from '../../../operator/kube/logger.ts';
import { PODS } from '../../../operator/kube/resource-types.ts';
import type { Change, Store } from '../../../operator/kube/store.ts';
import type { DataObject, Pod } from '../kinds.ts';
import type { AddressRange } from './address-range.ts';
import type { Machine } from './machine.ts';
import { isFinished } from './pod.ts';
import { podReferences } from './pod-references.ts';
import { PodStatusWriter } from './pod-status-writer.ts';
import { PodWorker } from './pod-worker.ts';

export interface NodeAgentOptions extends Machine {
  client: KubeClient;
  /** Names of the nodes whose pods it runs. */
  nodes: ReadonlySet<string>;
  addresses: AddressRange;
  /** Where pods and claims have their directories. */
  directory: string;
  events: EventRecorder;
  log: Logger;
}

/** Tokens of service accounts are renewed this often; they are asked for an hour by default. */
const TOKEN_RENEWAL_MS = 45 * 60_000;

interface Running {
  worker: PodWorker;
  writer: PodStatusWriter;
  /** Set when the pod is being ended: the shortest grace period that was asked for. */
  graceSeconds?: number;
}

/** The kubelet's part for all nodes of the cluster: runs the pods that are bound to them as local processes. */
export class NodeAgent {
  readonly #options: NodeAgentOptions;
  readonly #running = new Map<string, Running>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(options: NodeAgentOptions) {
    this.#options = options;
  }

  /** Follows pods, and what they mount, until {@link NodeAgent.close}. */
  start(pods: Store<Pod>, configMaps: Store<DataObject>, secrets: Store<DataObject>): void {
    const { signal } = this.#stop;
    const subscriptions = [
      pods.subscribe((change) => this.#podChanged(change)),
      configMaps.subscribe((change) => this.#sourceChanged('configmap', change)),
      secrets.subscribe((change) => this.#sourceChanged('secret', change)),
    ];
    const renewal = setInterval(() => this.#renewTokens(), TOKEN_RENEWAL_MS).unref();
    signal.addEventListener('abort', () => clearInterval(renewal), { once: true });
    signal.addEventListener('abort', () => subscriptions.forEach((unsubscribe) => void unsubscribe()), {
      once: true,
    });
  }

  /** Kills all processes. The pods in the API server are left unchanged. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all([...this.#running.values()].map(({ worker }) => worker.kill()));
    await Promise.allSettled(this.#tasks);
  }

  /** The worker of a pod that runs, or has run and is still there. */
  worker(namespace: string, name: string): PodWorker | undefined {
    for (const { worker } of this.#running.values()) {
      const { metadata } = worker.pod;
      if (metadata.name === name && metadata.namespace === namespace) return worker;
    }
    return undefined;
  }

  #podChanged({ old, new: pod }: Change<Pod>): void {
    const gone =
      old && (!pod || pod.metadata.uid !== old.metadata.uid) ? this.#running.get(uidOf(old)) : undefined;
    if (gone) this.#spawn(this.#remove(gone));
    if (!pod) return;
    const running = this.#running.get(uidOf(pod));
    if (running) {
      const before = running.worker.pod;
      running.worker.update(pod);
      if (pod.metadata.deletionTimestamp) this.#spawn(this.#end(running, pod));
      else if (downwardChanged(before, pod)) this.#spawn(running.worker.refresh());
      return;
    }
    const bound = pod.spec.nodeName;
    const ours =
      bound === undefined ? pod.metadata.deletionTimestamp !== undefined : this.#options.nodes.has(bound);
    if (!ours) return;
    // The pod has no processes here: it was never started, or an earlier agent ran it.
    if (pod.metadata.deletionTimestamp) this.#spawn(this.#delete(pod));
    else if (!isFinished(pod)) this.#launch(pod);
  }

  #sourceChanged(kind: 'configmap' | 'secret', { old, new: object, initial }: Change<DataObject>): void {
    const { name, namespace } = object?.metadata ?? old?.metadata ?? {};
    if (initial || !object) return;
    for (const { worker } of this.#running.values()) {
      if (worker.pod.metadata.namespace !== namespace) continue;
      if (podReferences(worker.pod).has(`${kind}/${name}`)) this.#spawn(worker.refresh());
    }
  }

  #renewTokens(): void {
    for (const { worker } of this.#running.values()) {
      const volumes = worker.pod.spec.volumes ?? [];
      const sources = volumes.flatMap((volume) => volume.projected?.sources ?? []);
      if (sources.some((source) => source.serviceAccountToken)) this.#spawn(worker.refresh());
    }
  }

  #launch(pod: Pod): void {
    const { addresses, client, directory, events, log, timing } = this.#options;
    const podIp = addresses.pods.take();
    // Short, because the path of a Unix socket has no more than 107 bytes.
    const name = createHash('sha256').update(uidOf(pod)).digest('hex').slice(0, 10);
    const worker = new PodWorker({
      machine: this.#options,
      pod,
      addresses: { podIp, hostIp: addresses.hostIp },
      directory: join(directory, 'pods', name),
      claims: join(directory, 'claims'),
      emit: (regarding, type, reason, note) => events.emit(regarding, { type, reason, action: reason, note }),
      changed: () => writer.changed(),
    });
    const writer = new PodStatusWriter({
      read: () => ({ pod: worker.pod, status: worker.status() }),
      client,
      retry: (signal) => timing.sleep(1, signal),
      onError: (error) =>
        log.error({ err: error, pod: pod.metadata.name }, 'node agent: pod status not written'),
      signal: this.#stop.signal,
    });
    this.#running.set(uidOf(pod), { worker, writer });
    writer.changed();
    this.#spawn(worker.done);
  }

  async #end(running: Running, pod: Pod): Promise<void> {
    const graceSeconds =
      pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
    const first = running.graceSeconds === undefined;
    if (!first && graceSeconds >= (running.graceSeconds ?? 0)) return;
    running.graceSeconds = graceSeconds;
    await running.worker.terminate(graceSeconds);
    if (!first || this.#stop.signal.aborted) return;
    await running.writer.flush();
    await this.#delete(pod);
  }

  /** The pod is gone from the API server, in the usual way or by force. */
  async #remove({ worker, writer }: Running): Promise<void> {
    writer.close();
    await worker.kill();
    this.#running.delete(uidOf(worker.pod));
    this.#options.addresses.pods.release(worker.addresses.podIp);
    await worker.clean();
  }

  async #delete(pod: Pod): Promise<void> {
    const { name, namespace = '', uid } = pod.metadata;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const options = { gracePeriodSeconds: 0, preconditions: { uid }, signal };
        await this.#options.client.delete(PODS, { namespace, name }, options);
        return;
      } catch (error) {
        if (isKubeError(error, 'NotFound', 'Conflict')) return;
        if (!isKubeError(error) || !error.retryable) throw error;
        await this.#options.timing.sleep(1, signal);
      }
    }
  }

  #spawn(task: Promise<void>): void {
    const tracked: Promise<void> = task
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted)
          this.#options.log.error({ err: error }, 'node agent: a pod could not be served');
      })
      .finally(() => this.#tasks.delete(tracked));
    this.#tasks.add(tracked);
  }
}

function uidOf(pod: Pod): string {
  return pod.metadata.uid ?? '';
}

function downwardChanged(before: Pod, after: Pod): boolean {
  const visible = (pod: Pod): string => JSON.stringify([pod.metadata.labels, pod.metadata.annotations]);
  return visible(before) !== visible(after);
}
