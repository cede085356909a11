/**
 * What the kubelet says of pods whose volumes it cannot mount. It says so in Events only, which are asked for when a pod
 * waits for its volumes for long: to watch them would mean to read those of the whole cluster.
 */
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import type { KubeObject } from '../../kube/object.ts';
import { PerObject } from '../../kube/per-object.ts';
import type { Permission } from '../../kube/permission.ts';
import { EVENTS } from '../../kube/resource-types.ts';
import type { Watchable } from '../../kube/store.ts';
import { type ContainerStatus, isFinished, type Pod } from './workloads.ts';

interface PodEvent extends KubeObject {
  type?: string;
  reason?: string;
  note?: string;
}

interface Look {
  /** Monotonic milliseconds. */
  at: number;
  failure: string | undefined;
}

export const MOUNT_PERMISSIONS: readonly Permission[] = [{ type: EVENTS, verbs: ['list'] }];

export interface MountFailuresOptions {
  client: KubeClient;
  pods: Watchable<Pod>;
  clock: Clock;
}

/** Volumes of ConfigMaps, Secrets and bound claims take seconds. */
const PATIENCE_MS = 15_000;

/** How often the events of one pod are asked for. The kubelet tries again at intervals of up to two minutes. */
const AGAIN_MS = 30_000;

/**
 * Pods of one workload whose events are asked for. They are of one template, so a few tell what keeps all from starting;
 * and a team may make any number that wait on a node that does not exist.
 */
const MAX_PODS = 3;

/** A pod has a handful of them; whoever may write events could add any number. */
const MAX_EVENTS = 50;

const REASONS: ReadonlySet<string> = new Set(['FailedMount', 'FailedAttachVolume', 'FailedMapVolume']);

/** What the kubelet says after two minutes, with names of volumes but without the cause. */
const SUMMARY = 'Unable to attach or mount volumes';

const BEFORE_START: ReadonlySet<string> = new Set(['ContainerCreating', 'PodInitializing']);

export class MountFailures {
  readonly #options: MountFailuresOptions;
  /** Of pods. */
  readonly #looks: PerObject<Look>;

  constructor(options: MountFailuresOptions) {
    this.#options = options;
    this.#looks = new PerObject(options.pods);
  }

  /** Why the volumes of a pod that still waits for them cannot be mounted, as far as it is known. */
  readonly of = (pod: Pod): string | undefined =>
    isWaiting(pod) ? this.#looks.get(pod.metadata.uid)?.failure : undefined;

  /**
   * Looks at the first of the pods, of one workload, that have waited for long. Returns whether an answer has changed, and
   * when to look again in milliseconds, if a pod waits. Throws KubeError.
   */
  async look(
    pods: readonly Pod[],
    signal: AbortSignal,
  ): Promise<{ changed: boolean; lookAgainMs?: number | undefined }> {
    const { clock } = this.#options;
    let changed = false;
    let lookAgainMs: number | undefined;
    for (const pod of pods.filter(isWaiting).slice(0, MAX_PODS)) {
      const { uid } = pod.metadata;
      const last = this.#looks.get(uid);
      const due = last ? last.at + AGAIN_MS - clock.monotonic() : waitsSince(pod) + PATIENCE_MS - clock.now();
      if (due > 0) {
        lookAgainMs = Math.min(lookAgainMs ?? due, due);
        continue;
      }
      const failure = await this.#failure(pod, signal);
      this.#looks.set(uid, { at: clock.monotonic(), failure });
      changed ||= failure !== last?.failure;
      lookAgainMs = Math.min(lookAgainMs ?? AGAIN_MS, AGAIN_MS);
    }
    return { changed, lookAgainMs };
  }

  async #failure({ metadata }: Pod, signal: AbortSignal): Promise<string | undefined> {
    const { items } = await this.#options.client.list<PodEvent>(EVENTS, {
      namespace: metadata.namespace,
      fieldSelector: `regarding.uid=${metadata.uid},type=Warning`,
      pageSize: MAX_EVENTS,
      atMost: MAX_EVENTS,
      signal,
    });
    const notes = items.filter(({ reason = '' }) => REASONS.has(reason)).map(({ note = '' }) => note);
    return notes.find((note) => note !== '' && !note.startsWith(SUMMARY)) ?? notes[0];
  }
}

/** Whether a pod is on a node and its volumes are not mounted: only then the kubelet makes it ready to start containers. */
function isWaiting(pod: Pod): boolean {
  if (!pod.spec.nodeName || pod.metadata.deletionTimestamp !== undefined || isFinished(pod)) return false;
  const { conditions = [], containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  if (conditions.some(({ type, status }) => type === 'PodReadyToStartContainers' && status === 'True'))
    return false;
  return [...initContainerStatuses, ...containerStatuses].every(hasNotStarted);
}

function hasNotStarted({ state, lastState }: ContainerStatus): boolean {
  return BEFORE_START.has(state?.waiting?.reason ?? '') && lastState?.terminated === undefined;
}

/** When the kubelet took the pod on, in milliseconds since 1970. */
function waitsSince({ status, metadata }: Pod): number {
  return Date.parse(status?.startTime ?? metadata.creationTimestamp ?? '') || 0;
}
