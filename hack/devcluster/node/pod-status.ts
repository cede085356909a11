import type { Condition, ContainerStatus, Pod, PodStatus } from '../kinds.ts';
import { apiTime } from './timing.ts';

export interface StatusInput {
  pod: Pod;
  init: ContainerStatus[];
  containers: ContainerStatus[];
  addresses: { podIp: string; hostIp: string } | undefined;
  startTime: string;
  /** What was computed last; the API server's copy may be older. */
  previous: PodStatus | undefined;
  now: Date;
}

/** The status that a kubelet would report for the pod. Conditions of other writers are unchanged. */
export function podStatus(input: StatusInput): PodStatus {
  const { pod, init, containers, addresses } = input;
  const phase = podPhase(pod, init, containers);
  const old = pod.status ?? {};
  return {
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    phase,
    conditions: conditions(input, phase),
    ...(addresses
      ? {
          hostIP: addresses.hostIp,
          hostIPs: [{ ip: addresses.hostIp }],
          podIP: addresses.podIp,
          podIPs: [{ ip: addresses.podIp }],
        }
      : {}),
    startTime: input.startTime,
    ...(init.length > 0 ? { initContainerStatuses: init } : {}),
    containerStatuses: containers,
    ...(old.qosClass === undefined ? {} : { qosClass: old.qosClass }),
  };
}

function podPhase(
  pod: Pod,
  init: ContainerStatus[],
  containers: ContainerStatus[],
): NonNullable<PodStatus['phase']> {
  const { restartPolicy = 'Always' } = pod.spec;
  const ended = (status: ContainerStatus): boolean =>
    status.state.terminated !== undefined &&
    (restartPolicy !== 'Always' || pod.metadata.deletionTimestamp !== undefined);
  const failed = (status: ContainerStatus): boolean => (status.state.terminated?.exitCode ?? 0) !== 0;
  if (restartPolicy === 'Never' && init.some(failed)) return 'Failed';
  const initialised = init.every((status) => status.state.terminated?.exitCode === 0 || status.started);
  if (!initialised) return 'Pending';
  if (containers.every(ended)) return containers.some(failed) ? 'Failed' : 'Succeeded';
  const everStarted = (status: ContainerStatus): boolean =>
    status.state.running !== undefined ||
    status.state.terminated !== undefined ||
    status.lastState.terminated !== undefined;
  return containers.every(everStarted) ? 'Running' : 'Pending';
}

function conditions(input: StatusInput, phase: string): Condition[] {
  const { pod, init, containers } = input;
  const notInitialised = init
    .filter((s) => s.state.terminated?.exitCode !== 0 && !s.started)
    .map((s) => s.name);
  const unready = containers.filter((status) => !status.ready).map((status) => status.name);
  const finished = phase === 'Succeeded' || phase === 'Failed';
  const notReady = finished
    ? { reason: phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed' }
    : { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` };
  // The kubelet makes the sandbox once the volumes are mounted.
  const hasVolumes = [...init, ...containers].some(
    ({ state }) => !['ContainerCreating', 'PodInitializing'].includes(state.waiting?.reason ?? ''),
  );
  const ready = unready.length === 0 && !finished && notInitialised.length === 0;
  const wanted: Omit<Condition, 'lastTransitionTime'>[] = [
    {
      type: 'PodReadyToStartContainers',
      status: input.addresses && hasVolumes && !finished ? 'True' : 'False',
    },
    notInitialised.length === 0
      ? { type: 'Initialized', status: 'True' }
      : {
          type: 'Initialized',
          status: 'False',
          reason: 'ContainersNotInitialized',
          message: `containers with incomplete status: [${notInitialised.join(' ')}]`,
        },
    { type: 'Ready', ...(ready ? { status: 'True' } : { status: 'False', ...notReady }) },
    { type: 'ContainersReady', ...(ready ? { status: 'True' } : { status: 'False', ...notReady }) },
    { type: 'PodScheduled', status: 'True' },
  ];
  const now = apiTime(input.now);
  const existing = pod.status?.conditions ?? [];
  const own = wanted.map((condition): Condition => {
    const before = (input.previous?.conditions ?? existing).find((c) => c.type === condition.type);
    const unchanged = before?.status === condition.status ? before.lastTransitionTime : undefined;
    const { generation } = pod.metadata;
    return {
      ...condition,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      lastProbeTime: null,
      lastTransitionTime: unchanged ?? now,
    };
  });
  return [...own, ...existing.filter((c) => !wanted.some((w) => w.type === c.type))];
}
