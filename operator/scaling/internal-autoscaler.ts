/**
 * The operator's autoscaler between 1 and N, modelled on Knative's (knative/serving pkg/autoscaler/scaling/autoscaler.go):
 * a stable window of 60 s, a panic window of 6 s, rate limits, and no decision without data. Scaling to zero is decided
 * elsewhere.
 */
import { ConcurrencyWindow } from './concurrency-window.ts';

const STABLE_WINDOW_MS = 60_000;
const PANIC_WINDOW_MS = 6_000;
/**
 * Panic mode starts when the panic window asks for this multiple of the ready replicas (Knative panic-threshold-percentage
 * 200).
 */
const PANIC_THRESHOLD = 2;
/** Knative's defaults: up by a factor of 1000 at once, down by half. */
const MAX_SCALE_UP_RATE = 1_000;
const MAX_SCALE_DOWN_RATE = 2;
/**
 * The default of the HPA (kube-controller-manager --horizontal-pod-autoscaler-downscale-stabilization). An engine takes
 * minutes to load, so stopping one too early costs more than keeping it too long.
 */
const DEFAULT_DOWN_WINDOW_S = 300;
/** The default tolerance of the HPA. Smaller deviations from the target are ignored. */
const DEFAULT_TOLERANCE = 0.1;

/** One rule of `scaling.behavior`, as in autoscaling/v2. */
export interface ScalingRules {
  stabilizationWindowSeconds?: number | undefined;
  selectPolicy?: 'Max' | 'Min' | 'Disabled' | undefined;
  tolerance?: string | undefined;
  policies?: { type: 'Pods' | 'Percent'; value: number; periodSeconds: number }[] | undefined;
}

export interface AutoscalerSettings {
  /** Target number of requests in flight or queued per replica. */
  target: number;
  minReplicas: number;
  maxReplicas: number;
  scaleUp?: ScalingRules | undefined;
  scaleDown?: ScalingRules | undefined;
  /** Whether another model waits for accelerators. Scaling down then skips the default window. */
  neededElsewhere?: boolean;
}

/** The desired replicas and the reason, as text for an event. */
export interface AutoscalerDecision {
  replicas: number;
  reason: 'Hold' | 'NoData' | 'Stable' | 'Panic' | 'Limits';
  message: string;
}

interface Change {
  at: number;
  replicas: number;
}

export class InternalAutoscaler {
  readonly #window = new ConcurrencyWindow(STABLE_WINDOW_MS);
  #panicSince: number | undefined;
  #panicMax = 0;
  /** Recommendations within the stabilization windows, newest last. */
  #wanted: Change[] = [];
  /** Replica counts over time, for policies per period, newest last. */
  #history: Change[] = [];
  #started = false;

  /** Records the requests in flight or queued. Do not record unknown demand. */
  record(now: number, concurrency: number): void {
    this.#window.record(now, concurrency);
  }

  /** The desired replicas. Call it every second or two. `now` is in monotonic milliseconds. */
  decide(now: number, ready: number, current: number, settings: AutoscalerSettings): AutoscalerDecision {
    this.#remember(now, current);
    const stable = this.#window.average(now, STABLE_WINDOW_MS);
    const panic = this.#window.average(now, PANIC_WINDOW_MS);
    if (stable === undefined || panic === undefined) {
      return {
        replicas: clamp(current, settings),
        reason: 'NoData',
        message: 'no data for the last seconds; the replicas do not change',
      };
    }
    const base = Math.max(1, ready);
    const want = (value: number) => Math.min(Math.ceil(value / settings.target), base * MAX_SCALE_UP_RATE);
    const stableWant = want(stable);
    const panicWant = want(panic);
    this.#updatePanic(now, base, panicWant);

    const raw = this.#panicSince === undefined ? stableWant : Math.max(this.#panicMax, panicWant, current);
    if (this.#panicSince !== undefined) this.#panicMax = raw;
    const average = this.#panicSince === undefined ? stable : panic;
    const tolerated = this.#panicSince === undefined ? this.#tolerate(raw, average, current, settings) : raw;
    const steadied = this.#stabilize(now, tolerated, current, settings);
    // Applied after the stabilization, because each halving would otherwise wait for a whole window.
    const halved = Math.max(steadied, Math.min(current, Math.floor(base / MAX_SCALE_DOWN_RATE)));
    const allowed = this.#limitByPolicies(now, halved, current, settings);
    const replicas = clamp(allowed, settings);
    const text = `${average.toFixed(1)} requests in flight or queued on average, target ${settings.target} per replica`;
    if (replicas === current) return { replicas, reason: 'Hold', message: text };
    if (replicas !== tolerated)
      return {
        replicas,
        reason: 'Limits',
        message: `${text}; ${tolerated} desired, limited by bounds or behavior`,
      };
    return { replicas, reason: this.#panicSince === undefined ? 'Stable' : 'Panic', message: text };
  }

  #remember(now: number, current: number): void {
    if (!this.#started) {
      // After a restart the history is empty. Do not scale down on a few seconds of data.
      this.#started = true;
      this.#wanted.push({ at: now, replicas: current });
      if (current > 1) {
        this.#panicSince = now;
        this.#panicMax = current;
      }
    }
    const last = this.#history.at(-1);
    if (last?.replicas !== current) this.#history.push({ at: now, replicas: current });
    const oldest = this.#history.findLastIndex((change) => change.at <= now - MAX_PERIOD_MS);
    if (oldest > 0) this.#history = this.#history.slice(oldest);
  }

  #updatePanic(now: number, base: number, panicWant: number): void {
    if (panicWant / base >= PANIC_THRESHOLD) {
      this.#panicSince = now;
    } else if (this.#panicSince !== undefined && now - this.#panicSince >= STABLE_WINDOW_MS) {
      this.#panicSince = undefined;
      this.#panicMax = 0;
    }
  }

  #tolerate(raw: number, average: number, current: number, settings: AutoscalerSettings): number {
    if (current === 0 || raw === current) return raw;
    const rules = raw > current ? settings.scaleUp : settings.scaleDown;
    const tolerance = rules?.tolerance === undefined ? DEFAULT_TOLERANCE : Number(rules.tolerance);
    return Math.abs(average / (settings.target * current) - 1) <= tolerance ? current : raw;
  }

  /** Like the HPA: down to the highest recommendation within the window, up to the lowest. */
  #stabilize(
    now: number,
    wanted: number,
    current: number,
    { scaleUp, scaleDown, neededElsewhere }: AutoscalerSettings,
  ): number {
    const downDefault = neededElsewhere ? 0 : DEFAULT_DOWN_WINDOW_S;
    const upMs = (scaleUp?.stabilizationWindowSeconds ?? 0) * 1_000;
    const downMs = (scaleDown?.stabilizationWindowSeconds ?? downDefault) * 1_000;
    this.#wanted.push({ at: now, replicas: wanted });
    const oldest = this.#wanted.findIndex(({ at }) => now - at <= Math.max(upMs, downMs));
    if (oldest > 0) this.#wanted = this.#wanted.slice(oldest);
    const within = (ms: number) =>
      this.#wanted.filter(({ at }) => now - at <= ms).map(({ replicas }) => replicas);
    const least = Math.min(wanted, ...within(upMs));
    const most = Math.max(wanted, ...within(downMs));
    return Math.min(Math.max(current, least), most);
  }

  #limitByPolicies(
    now: number,
    wanted: number,
    current: number,
    { scaleUp, scaleDown }: AutoscalerSettings,
  ): number {
    if (wanted === current) return wanted;
    const up = wanted > current;
    const rules = up ? scaleUp : scaleDown;
    if (rules?.selectPolicy === 'Disabled') return current;
    const { policies = [] } = rules ?? {};
    if (policies.length === 0) return wanted;
    const limits = policies.map(({ type, value, periodSeconds }) => {
      const start = this.#replicasAt(now - periodSeconds * 1_000) ?? current;
      const step = type === 'Pods' ? value : Math.ceil((start * value) / 100);
      return up ? start + step : start - step;
    });
    const widest = (rules?.selectPolicy ?? 'Max') === 'Max';
    const limit = up === widest ? Math.max(...limits) : Math.min(...limits);
    return up ? Math.max(current, Math.min(wanted, limit)) : Math.min(current, Math.max(wanted, limit));
  }

  #replicasAt(at: number): number | undefined {
    return (this.#history.findLast((change) => change.at <= at) ?? this.#history[0])?.replicas;
  }
}

/** Longest period of a policy (autoscaling/v2: 1800 s). */
const MAX_PERIOD_MS = 1_800_000;

function clamp(replicas: number, { minReplicas, maxReplicas }: AutoscalerSettings): number {
  return Math.min(Math.max(replicas, minReplicas, 1), Math.max(1, maxReplicas));
}
