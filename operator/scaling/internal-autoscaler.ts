/**
 * The operator's own loop between 1 and N, after Knative's (knative/serving pkg/autoscaler/scaling/autoscaler.go): a stable
 * window of 60 s, a panic window of 6 s, rate limits, and no decision without data. Never to zero: that is sleep's.
 */
import { ConcurrencyWindow } from './concurrency-window.ts';

const STABLE_WINDOW_MS = 60_000;
const PANIC_WINDOW_MS = 6_000;
/** Panic starts when the panic window wants this many times what is ready (Knative panic-threshold-percentage 200). */
const PANIC_THRESHOLD = 2;
/** Knative's defaults: up by a factor of 1000 at once, down to half. */
const MAX_SCALE_UP_RATE = 1_000;
const MAX_SCALE_DOWN_RATE = 2;
/**
 * As the HPA's default (kube-controller-manager --horizontal-pod-autoscaler-downscale-stabilization): an engine takes minutes
 * to load, so that one given up too early costs more than one kept too long.
 */
const DEFAULT_DOWN_WINDOW_S = 300;
/** As the HPA's default tolerance: what is this close to the target is left alone. */
const DEFAULT_TOLERANCE = 0.1;

/** One rule of `scaling.behavior`, as in autoscaling/v2. */
export interface ScalingRules {
  stabilizationWindowSeconds?: number | undefined;
  selectPolicy?: 'Max' | 'Min' | 'Disabled' | undefined;
  tolerance?: string | undefined;
  policies?: { type: 'Pods' | 'Percent'; value: number; periodSeconds: number }[] | undefined;
}

export interface AutoscalerSettings {
  /** Requests in flight or queued that one replica is to have. */
  target: number;
  minReplicas: number;
  maxReplicas: number;
  scaleUp?: ScalingRules | undefined;
  scaleDown?: ScalingRules | undefined;
  /** Somebody waits for what is not needed here: it is given up without the default window. */
  neededElsewhere?: boolean;
}

/** What the loop wants, and why, in words for an event. */
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
  /** Recommendations, for stabilization windows; the newest last. */
  #wanted: Change[] = [];
  /** Replica counts as they were, for policies per period; the newest last. */
  #history: Change[] = [];
  #started = false;

  /** Adds what clients have in flight or queued now. Only known demand may be recorded. */
  record(now: number, concurrency: number): void {
    this.#window.record(now, concurrency);
  }

  /** What the model should have now. Call it every second or two; time is monotonic, in milliseconds. */
  decide(now: number, ready: number, current: number, settings: AutoscalerSettings): AutoscalerDecision {
    this.#remember(now, current);
    const stable = this.#window.average(now, STABLE_WINDOW_MS);
    const panic = this.#window.average(now, PANIC_WINDOW_MS);
    if (stable === undefined || panic === undefined) {
      return {
        replicas: clamp(current, settings),
        reason: 'NoData',
        message: 'no data of the last seconds: replicas are kept',
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
    // After the window, or each halving would wait for a whole one.
    const halved = Math.max(steadied, Math.min(current, Math.floor(base / MAX_SCALE_DOWN_RATE)));
    const allowed = this.#limitByPolicies(now, halved, current, settings);
    const replicas = clamp(allowed, settings);
    const text = `${average.toFixed(1)} requests in flight or queued on average, target ${settings.target} per replica`;
    if (replicas === current) return { replicas, reason: 'Hold', message: text };
    if (replicas !== tolerated)
      return {
        replicas,
        reason: 'Limits',
        message: `${text}; ${tolerated} wanted, limited by bounds or behavior`,
      };
    return { replicas, reason: this.#panicSince === undefined ? 'Stable' : 'Panic', message: text };
  }

  #remember(now: number, current: number): void {
    if (!this.#started) {
      // Restarted with history lost: more than one replica must not shrink on a few seconds of data.
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

  /** Down: the most wanted within the window; up: the least. As the HPA does. */
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

/** The longest period that a policy may have (autoscaling/v2: 1800 s). */
const MAX_PERIOD_MS = 1_800_000;

function clamp(replicas: number, { minReplicas, maxReplicas }: AutoscalerSettings): number {
  return Math.min(Math.max(replicas, minReplicas, 1), Math.max(1, maxReplicas));
}
