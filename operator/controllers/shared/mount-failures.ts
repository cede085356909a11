/**
 * Why the kubelet cannot mount the volumes of a pod. It reports this only in Events. They are listed for pods that have
 * waited for long, because a watch would read the Events of the whole cluster.
 */
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import type { KubeObject } from '../../kube/object.ts';
import { PerObject } from '../../kube/per-object.ts';
import type { Permission } from '../../kube/permission.ts';
import { EVENTS } from '../../kube/resource-types.ts';
import type { Watchable } from '../../kube/store.ts';
import { earliest } from './requeue-after.ts';
import { type ContainerStatus, isFinished, type Pod } from './workloads.ts';

interface PodEvent extends KubeObject {
  type?: string;
  reason?: string;
  note?: string;
}

interface Check {
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

/** Mounting ConfigMaps, Secrets and bound claims takes seconds. */
const GRACE_MS = 15_000;

/** Interval between two lists of the Events of one pod. The kubelet retries a mount with a backoff of up to two minutes. */
const CHECK_INTERVAL_MS = 30_000;

/**
 * Most pods of one workload whose Events are listed. They share a template, so a few explain all of them. The limit
 * matters because a team can create any number of pods for a node that does not exist.
 */
const MAX_PODS = 3;

/** A pod has a handful of Events. The limit guards against anyone who may create more. */
const MAX_EVENTS = 50;

const REASONS: ReadonlySet<string> = new Set(['FailedMount', 'FailedAttachVolume', 'FailedMapVolume']);

/** The summary that the kubelet emits after two minutes. It names the volumes but not the cause. */
const SUMMARY = 'Unable to attach or mount volumes';

const BEFORE_START: ReadonlySet<string> = new Set(['ContainerCreating', 'PodInitializing']);

export class MountFailures {
  readonly #options: MountFailuresOptions;
  /** By pod. */
  readonly #checks: PerObject<Check>;

  constructor(options: MountFailuresOptions) {
    this.#options = options;
    this.#checks = new PerObject(options.pods);
  }

  /** Why the volumes of a waiting pod cannot be mounted; undefined if that is unknown or the pod does not wait. */
  readonly of = (pod: Pod): string | undefined =>
    isWaiting(pod) ? this.#checks.get(pod.metadata.uid)?.failure : undefined;

  /**
   * Lists the Events of the first few pods of one workload that have waited for long. Returns whether a result has
   * changed, and after how many milliseconds to check again if a pod still waits. Throws KubeError.
   */
  async check(
    pods: readonly Pod[],
    signal: AbortSignal,
  ): Promise<{ changed: boolean; requeueAfterMs?: number | undefined }> {
    const { clock } = this.#options;
    let changed = false;
    let requeueAfterMs: number | undefined;
    for (const pod of pods.filter(isWaiting).slice(0, MAX_PODS)) {
      const { uid } = pod.metadata;
      const last = this.#checks.get(uid);
      const due = last
        ? last.at + CHECK_INTERVAL_MS - clock.monotonic()
        : waitsSince(pod) + GRACE_MS - clock.now();
      if (due > 0) {
        requeueAfterMs = earliest(requeueAfterMs, due);
        continue;
      }
      const failure = await this.#failure(pod, signal);
      this.#checks.set(uid, { at: clock.monotonic(), failure });
      changed ||= failure !== last?.failure;
      requeueAfterMs = earliest(requeueAfterMs, CHECK_INTERVAL_MS);
    }
    return { changed, requeueAfterMs };
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

/**
 * Whether a pod is bound to a node and its volumes are not mounted yet. The kubelet sets PodReadyToStartContainers once
 * they are.
 */
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

/** When the kubelet accepted the pod, in milliseconds since 1970. */
function waitsSince({ status, metadata }: Pod): number {
  return Date.parse(status?.startTime ?? metadata.creationTimestamp ?? '') || 0;
}
