/**
 * Where the time of one cold start goes. Pure: fed with events, it yields the split. Times are monotonic milliseconds of
 * the operator; what a pod says of itself comes in whole seconds of other clocks, so it is used only for what the
 * operator did not see happen.
 */

/** The parts, in order; each begins where the one before ends. */
export const COLD_START_PHASES = ['detect', 'schedule', 'pull', 'load', 'ready', 'firstByte'] as const;
export type ColdStartPhase = (typeof COLD_START_PHASES)[number];

/** Milliseconds of each part that is known. */
export type ColdStartSplit = Partial<Record<ColdStartPhase, number>>;

/** What is read of a pod. */
export interface StartingPod {
  metadata: { uid?: string; deletionTimestamp?: string };
  status?: {
    conditions?: { type: string; status: string; lastTransitionTime?: string }[];
    containerStatuses?: { state?: { running?: { startedAt?: string } } }[];
  };
}

export type ColdStartEvent =
  /** The first request is held. */
  | { type: 'held'; at: number }
  /** Nobody waits any more. */
  | { type: 'released' }
  /** Replicas were raised from zero. */
  | { type: 'scaled'; at: number }
  /** The model's pods as they are at `at`, which is `wall` in milliseconds since 1970. */
  | { type: 'pods'; at: number; wall: number; pods: readonly StartingPod[] }
  /** Every router has an engine to send requests to. */
  | { type: 'routed'; at: number }
  /** The first held request has been answered, or its answer has begun. */
  | { type: 'firstByte'; at: number };

interface PodTimes {
  scheduled?: number;
  started?: number;
  ready?: number;
}

/** A cold start under way. */
export interface ColdStart {
  held?: number;
  scaled?: number;
  pods: Readonly<Record<string, PodTimes>>;
  routed?: number;
  firstByte?: number;
}

/** None under way. */
export const NO_COLD_START: ColdStart = { pods: {} };

/** Takes in what happened. */
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
      // A router that answers may tell so before the others have confirmed their table.
      const up =
        start.routed !== undefined || Object.values(start.pods).some(({ ready }) => ready !== undefined);
      if (start.scaled === undefined || start.firstByte !== undefined || !up) return start;
      return { ...start, routed: start.routed ?? event.at, firstByte: event.at };
    }
  }
}

/** Whether nothing is missing: the first answer has begun, or the model serves and nobody had waited. */
export function isColdStartComplete({ held, routed, firstByte }: ColdStart): boolean {
  return firstByte !== undefined || (routed !== undefined && held === undefined);
}

/** The parts as far as they are known. No part is negative, and together they are the whole. */
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

/** Durations as the API writes them, such as `1s200ms`: exact to the millisecond below ten seconds, then to a tenth of a second. */
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
 * What is new since the last look happened just now, if it is one step. Of several steps at once, and of a pod seen for
 * the first time, the pod's own times tell, within the limits of what is known.
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

/** When a step was taken by the pod's own account, in milliseconds since 1970. */
function saidBy({ status }: StartingPod, step: keyof PodTimes): number | undefined {
  if (step === 'started') return startOf(status?.containerStatuses ?? []);
  const type = step === 'scheduled' ? 'PodScheduled' : 'Ready';
  const condition = status?.conditions?.find((each) => each.type === type && each.status === 'True');
  return condition && parseTime(condition.lastTransitionTime);
}

/** Start of the container that started last, once all run. */
function startOf(
  statuses: NonNullable<NonNullable<StartingPod['status']>['containerStatuses']>,
): number | undefined {
  if (statuses.length === 0 || !statuses.every(({ state }) => state?.running)) return undefined;
  return Math.max(...statuses.map(({ state }) => parseTime(state?.running?.startedAt)));
}

/** A time that is missing or unreadable counts as long ago, which the limits of what is known then correct. */
function parseTime(text: string | undefined): number {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? 0 : time;
}

/**
 * The pod that was ready first; while none is, the one that is furthest. Routers may learn of it before we do, and a pod
 * may tell its steps out of order: no step is later than the one after it.
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
