/**
 * Splits the duration of a cold start into phases. Pure. Times are the operator's monotonic milliseconds. Timestamps in pod
 * status have a resolution of one second and come from other clocks, so they are only used for steps that the operator did
 * not observe.
 */

/** The phases in order. Each begins where the previous one ends. */
export const COLD_START_PHASES = ['detect', 'schedule', 'pull', 'load', 'ready', 'firstByte'] as const;
export type ColdStartPhase = (typeof COLD_START_PHASES)[number];

/** Milliseconds of each phase that is known. */
export type ColdStartSplit = Partial<Record<ColdStartPhase, number>>;

/** The fields of a pod that are read. */
export interface StartingPod {
  metadata: { uid?: string; deletionTimestamp?: string };
  status?: {
    conditions?: { type: string; status: string; lastTransitionTime?: string }[];
    containerStatuses?: { state?: { running?: { startedAt?: string } } }[];
  };
}

export type ColdStartEvent =
  /** The first request waits. */
  | { type: 'held'; at: number }
  /** No request waits any more. */
  | { type: 'released' }
  /** Replicas were raised from zero. */
  | { type: 'scaled'; at: number }
  /** The model's pods at `at`, which is `wall` in milliseconds since 1970. */
  | { type: 'pods'; at: number; wall: number; pods: readonly StartingPod[] }
  /** Every router has an engine to send requests to. */
  | { type: 'routed'; at: number }
  /** The answer to the first waiting request has begun or is complete. */
  | { type: 'firstByte'; at: number };

interface PodTimes {
  scheduled?: number;
  started?: number;
  ready?: number;
}

/** A cold start in progress. */
export interface ColdStart {
  held?: number;
  scaled?: number;
  pods: Readonly<Record<string, PodTimes>>;
  routed?: number;
  firstByte?: number;
}

/** No cold start in progress. */
export const NO_COLD_START: ColdStart = { pods: {} };

/** Applies an event. */
export function advanceColdStart(start: ColdStart, event: ColdStartEvent): ColdStart {
  switch (event.type) {
    case 'held':
      return start.held !== undefined || start.scaled !== undefined ? start : { ...start, held: event.at };
    case 'released':
      return start.scaled === undefined ? NO_COLD_START : start;
    case 'scaled':
      return { ...(start.held !== undefined && { held: start.held }), scaled: event.at, pods: {} };
    case 'pods':
      return start.scaled === undefined || start.routed !== undefined
        ? start
        : observe(start, start.scaled, event);
    case 'routed':
      return start.scaled === undefined || start.routed !== undefined
        ? start
        : { ...start, routed: event.at };
    case 'firstByte': {
      // A router may report its answer before the other routers have confirmed their table.
      const up =
        start.routed !== undefined || Object.values(start.pods).some(({ ready }) => ready !== undefined);
      if (start.scaled === undefined || start.firstByte !== undefined || !up) return start;
      return { ...start, routed: start.routed ?? event.at, firstByte: event.at };
    }
  }
}

/** Whether the cold start is complete: the first answer has begun, or the model serves and no request waited. */
export function isColdStartComplete({ held, routed, firstByte }: ColdStart): boolean {
  return firstByte !== undefined || (routed !== undefined && held === undefined);
}

/** The known phases. None is negative, and they add up to the total. */
export function splitColdStart(start: ColdStart): ColdStartSplit {
  const { scheduled, started, ready } = firstReady(start);
  const marks = [start.held, start.scaled, scheduled, started, ready, start.routed, start.firstByte];
  const split: ColdStartSplit = {};
  for (const [index, phase] of COLD_START_PHASES.entries()) {
    const from = marks[index];
    const to = marks[index + 1];
    if (from !== undefined && to !== undefined) split[phase] = Math.max(0, to - from);
  }
  return split;
}

/** Formats durations like the API, such as `1s200ms`: in milliseconds below ten seconds, then in tenths of a second. */
export function formatColdStart(split: ColdStartSplit): Partial<Record<ColdStartPhase, string>> {
  return Object.fromEntries(Object.entries(split).map(([phase, ms]) => [phase, durationText(ms)]));
}

function durationText(milliseconds: number): string {
  const ms = Math.round(milliseconds < 10_000 ? milliseconds : Math.round(milliseconds / 100) * 100);
  const parts: [number, string][] = [
    [Math.floor(ms / 60_000), 'm'],
    [Math.floor((ms % 60_000) / 1000), 's'],
    [ms % 1000, 'ms'],
  ];
  const text = parts.flatMap(([count, unit]) => (count > 0 ? `${count}${unit}` : [])).join('');
  return text || '0ms';
}

function observe(
  start: ColdStart,
  scaled: number,
  { at, wall, pods }: Extract<ColdStartEvent, { type: 'pods' }>,
): ColdStart {
  const next: Record<string, PodTimes> = {};
  for (const pod of pods) {
    const { uid, deletionTimestamp } = pod.metadata;
    if (uid === undefined || deletionTimestamp !== undefined) continue;
    next[uid] = follow(start.pods[uid], pod, { scaled, at, wall });
  }
  return { ...start, pods: next };
}

/**
 * A single new step since the last observation has happened just now. For several new steps, and for a pod that is seen for
 * the first time, uses the timestamps in the pod's status, bounded by what was observed.
 */
function follow(
  known: PodTimes | undefined,
  pod: StartingPod,
  { scaled, at, wall }: { scaled: number; at: number; wall: number },
): PodTimes {
  const steps = (['scheduled', 'started', 'ready'] as const).map((step) => ({
    step,
    said: saidBy(pod, step),
  }));
  const fresh = steps.filter(({ step, said }) => said !== undefined && known?.[step] === undefined);
  const times: PodTimes = { ...known };
  let earliest = Math.max(scaled, times.scheduled ?? scaled, times.started ?? scaled);
  for (const { step, said } of fresh) {
    const isNow = known !== undefined && step === fresh.at(-1)?.step;
    const time = isNow || said === undefined ? at : Math.min(at, Math.max(earliest, at - (wall - said)));
    times[step] = time;
    earliest = Math.max(earliest, time);
  }
  return times;
}

/** When the pod's status says that a step happened, in milliseconds since 1970. */
function saidBy({ status }: StartingPod, step: keyof PodTimes): number | undefined {
  if (step === 'started') return startOf(status?.containerStatuses ?? []);
  const type = step === 'scheduled' ? 'PodScheduled' : 'Ready';
  const condition = status?.conditions?.find((each) => each.type === type && each.status === 'True');
  return condition && parseTime(condition.lastTransitionTime);
}

/** Start time of the last container, once all of them are running. */
function startOf(
  statuses: NonNullable<NonNullable<StartingPod['status']>['containerStatuses']>,
): number | undefined {
  if (statuses.length === 0 || !statuses.every(({ state }) => state?.running)) return undefined;
  return Math.max(...statuses.map(({ state }) => parseTime(state?.running?.startedAt)));
}

/** A missing or invalid timestamp counts as long ago. The observed bounds correct it. */
function parseTime(text: string | undefined): number {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? 0 : time;
}

/**
 * The pod that became ready first, or while none is, the one that has progressed furthest. Routers may see it before the
 * operator, and timestamps of a pod may be out of order. So no step is later than the one after it.
 */
function firstReady({ pods, routed }: ColdStart): PodTimes {
  const [first = {}] = Object.values(pods).sort(
    (a, b) =>
      (a.ready ?? Number.POSITIVE_INFINITY) - (b.ready ?? Number.POSITIVE_INFINITY) || marked(b) - marked(a),
  );
  const ready = earlier(first.ready ?? routed, routed);
  const started = earlier(first.started, ready);
  const scheduled = earlier(first.scheduled, started ?? ready);
  return {
    ...(scheduled !== undefined && { scheduled }),
    ...(started !== undefined && { started }),
    ...(ready !== undefined && { ready }),
  };
}

function earlier(time: number | undefined, limit: number | undefined): number | undefined {
  return time === undefined || limit === undefined ? time : Math.min(time, limit);
}

function marked({ scheduled, started }: PodTimes): number {
  return Number(scheduled !== undefined) + Number(started !== undefined);
}
