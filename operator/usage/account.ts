/** Brings a ledger up to date with what is seen now. Pure. */
import type { Bucket } from './bucket.ts';
import {
  type Asleep,
  DayBuilder,
  type KeyCount,
  type Ledger,
  MAX_ASLEEP,
  MAX_PODS,
  WHOLE_DAY,
} from './ledger.ts';
import { byHour, DAY_MS, dayOf, HOUR_MS, hourOf } from './periods.ts';

/** Days for which use is still counted afterwards, for example after the operator was down. Older use is not counted. */
export const KEPT_DAYS = 35;

/** Most accelerators that one pod is counted with: no node has more. */
const MAX_ACCELERATORS = 64;

/** Routers whose last batch is remembered. Batches are numbered by time, so those of routers long gone are dropped. */
const MAX_ROUTERS = 64;

/** A pod that holds accelerators, or held them until its end. Times are in milliseconds since 1970. */
export interface Allocation {
  uid: string;
  model: string;
  accelerators: number;
  /** When a kubelet accepted the pod. */
  start: number;
  /** When its last container terminated, or the pod was gone. Absent while it runs. */
  end?: number;
  /** Whether the pod is no longer listed, so that it needs no resume point. */
  isGone?: boolean;
  /** Since when the pod is ready, or was for the last time. */
  readySince?: number;
  /** Until when it was; absent if it still is. */
  readyUntil?: number;
  /** Price of one accelerator-hour; absent without a price. */
  hourlyCost?: number;
}

/** A model at zero replicas that the next request wakes. */
export interface Sleeper {
  model: string;
  /** Accelerators that one replica would hold. */
  accelerators: number;
}

/** What was seen of a model since the last round. */
export interface Activity {
  model: string;
  /** Since when, in milliseconds since 1970. */
  since: number;
  /** Whether every router of the pool reported the demand in all of that time. */
  isWatched: boolean;
  /** Highest demand that was seen. */
  peakInFlight: number;
  /** Cold starts that ended, and the milliseconds of all of them. */
  wakes: number;
  coldStartMs: number;
}

/** What a router counted since its last batch. */
export interface Batch {
  router: string;
  /** Increases with every batch of the router. A batch is counted once. */
  id: number;
  counts: readonly (KeyCount & Partial<Pick<Bucket, 'longestRequest'>> & { model: string; tenant: string })[];
}

export interface Observation {
  allocations: readonly Allocation[];
  sleepers: readonly Sleeper[];
  batches: readonly Batch[];
  activities?: readonly Activity[];
}

/**
 * The ledger with everything up to `now`, in milliseconds since 1970. Each pod is counted from where it was counted last, so
 * it does not matter how often this is called, nor whether a process in between has died. Returns the same ledger if
 * there is nothing new.
 */
export function account(ledger: Ledger, seen: Observation, now: number): Ledger {
  const days = new DayBuilders(ledger, now);
  const pods = countPods(ledger, seen.allocations, days, now);
  const batches = countBatches(ledger, seen.batches, days, now);
  countActivities(seen.activities ?? [], seen.allocations, days, now);
  const sleepers = countedSleepers(ledger, seen.sleepers);
  const sleepersChanged =
    ledger.asleep.size !== sleepers.size || [...sleepers.keys()].some((name) => !ledger.asleep.has(name));
  if (pods === ledger.pods && batches === ledger.batches && !sleepersChanged && days.isEmpty()) return ledger;
  const asleep = countAsleep(ledger, sleepers, days, now);
  return { ...ledger, pods, batches, asleep, days: days.done() };
}

class DayBuilders {
  readonly #ledger: Ledger;
  readonly #days = new Map<string, DayBuilder>();
  readonly #oldest: number;

  constructor(ledger: Ledger, now: number) {
    this.#ledger = ledger;
    this.#oldest = Math.floor(now / DAY_MS) * DAY_MS - (KEPT_DAYS - 1) * DAY_MS;
  }

  /** Splits a time at the hours, and adds what `counted` returns for the milliseconds of each part. */
  spread(
    model: string,
    from: number,
    to: number,
    counted: (ms: number) => Partial<Bucket>,
    row?: number,
  ): void {
    for (const { at, ms } of byHour(Math.max(from, this.#oldest), to))
      this.day(at).add(model, row ?? hourOf(at), counted(ms));
  }

  /** Whether nothing was added. */
  isEmpty(): boolean {
    return this.#days.size === 0;
  }

  day(at: number): DayBuilder {
    const date = dayOf(at);
    const known = this.#days.get(date);
    if (known) return known;
    const day = new DayBuilder(this.#ledger.days.get(date));
    this.#days.set(date, day);
    return day;
  }

  done(): Ledger['days'] {
    if (this.#days.size === 0) return this.#ledger.days;
    const changed = [...this.#days].map(([date, day]) => [date, day.done()] as const);
    return new Map([...this.#ledger.days, ...changed]);
  }
}

/** If there are too many pods, those that were counted before come first. */
function countPods(
  ledger: Ledger,
  allocations: readonly Allocation[],
  days: DayBuilders,
  now: number,
): Ledger['pods'] {
  const isKnown = ({ uid }: Allocation) => ledger.pods.has(uid);
  const chosen =
    allocations.length <= MAX_PODS
      ? allocations
      : allocations.toSorted((a, b) => Number(isKnown(b)) - Number(isKnown(a))).slice(0, MAX_PODS);
  const pods = new Map<string, number>();
  for (const pod of chosen) {
    const known = ledger.pods.get(pod.uid);
    const from = Math.max(pod.start, known ?? 0);
    const to = Math.min(pod.end ?? now, now);
    if (!pod.isGone) pods.set(pod.uid, Math.max(from, to));
    if (from >= to) continue;
    const accelerators = Math.min(pod.accelerators, MAX_ACCELERATORS);
    days.spread(pod.model, from, to, (ms) => held(accelerators * ms, pod.hourlyCost));
    if (pod.readySince !== undefined)
      days.spread(
        pod.model,
        Math.max(from, pod.readySince),
        Math.min(to, pod.readyUntil ?? to),
        (readyMs) => ({ readyMs }),
      );
  }
  const isSame =
    pods.size === ledger.pods.size && [...pods].every(([uid, until]) => ledger.pods.get(uid) === until);
  return isSame ? ledger.pods : pods;
}

function held(acceleratorMs: number, hourlyCost: number | undefined): Partial<Bucket> {
  if (hourlyCost === undefined) return { acceleratorMs };
  const cost = Math.round((acceleratorMs / HOUR_MS) * hourlyCost * 1e9);
  return { acceleratorMs, pricedMs: acceleratorMs, cost };
}

function countBatches(
  ledger: Ledger,
  batches: readonly Batch[],
  days: DayBuilders,
  now: number,
): Ledger['batches'] {
  const next = new Map(ledger.batches);
  let isNew = false;
  for (const { router, id, counts } of batches) {
    if (id <= (next.get(router) ?? 0)) continue;
    next.set(router, id);
    for (const { model, tenant, ...count } of counts) {
      isNew = true;
      days.day(now).add(model, hourOf(now), count);
      days.day(now).addKey(model, tenant, count);
    }
  }
  if (!isNew) return ledger.batches;
  return next.size <= MAX_ROUTERS
    ? next
    : new Map([...next].sort((a, b) => b[1] - a[1]).slice(0, MAX_ROUTERS));
}

function countActivities(
  activities: readonly Activity[],
  allocations: readonly Allocation[],
  days: DayBuilders,
  now: number,
): void {
  const pods = Map.groupBy(allocations, ({ model }) => model);
  for (const { model, since, isWatched, peakInFlight, wakes, coldStartMs } of activities) {
    if (isWatched) countWatched(model, pods.get(model) ?? [], since, days, now);
    // Every hour of the time gets the peak, because it is not known in which of them it was.
    if (peakInFlight > 0) days.spread(model, Math.min(since, now - 1), now, () => ({ peakInFlight }));
    if (wakes > 0) days.day(now).add(model, hourOf(now), { wakes, coldStartMs });
  }
}

/** Time in which several pods held accelerators counts once. */
function countWatched(
  model: string,
  pods: readonly Allocation[],
  since: number,
  days: DayBuilders,
  now: number,
): void {
  let counted = since;
  for (const { start, end } of pods.toSorted((a, b) => a.start - b.start)) {
    const from = Math.max(start, counted);
    const to = Math.min(end ?? now, now);
    if (from >= to) continue;
    days.spread(model, from, to, (watchedMs) => ({ watchedMs }));
    counted = to;
  }
}

/** If there are too many models, those that slept before come first. */
function countedSleepers({ asleep }: Ledger, sleepers: readonly Sleeper[]): Map<string, Sleeper> {
  const chosen =
    sleepers.length <= MAX_ASLEEP
      ? sleepers
      : sleepers.toSorted((a, b) => Number(asleep.has(b.model)) - Number(asleep.has(a.model)));
  return new Map(chosen.slice(0, MAX_ASLEEP).map((sleeper) => [sleeper.model, sleeper]));
}

function countAsleep(
  ledger: Ledger,
  sleepers: ReadonlyMap<string, Sleeper>,
  days: DayBuilders,
  now: number,
): Ledger['asleep'] {
  for (const [model, { since, accelerators }] of ledger.asleep)
    days.spread(model, since, now, (ms) => ({ asleepMs: accelerators * ms }), WHOLE_DAY);
  const next = new Map<string, Asleep>();
  for (const [model, { accelerators }] of sleepers)
    next.set(model, { since: Math.max(now, ledger.asleep.get(model)?.since ?? 0), accelerators });
  return next;
}
