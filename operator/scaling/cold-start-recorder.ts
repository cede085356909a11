/** Measures the cold starts of all models: the phases of the last one of each model, and histograms over all models. */
import type { Registry } from 'prom-client';
import type { Clock } from '../kube/clock.ts';
import { histogram } from '../kube/metrics.ts';
import type { KubeObject } from '../kube/object.ts';
import { PerObject } from '../kube/per-object.ts';
import type { Watchable } from '../kube/store.ts';
import {
  advanceColdStart,
  COLD_START_PHASES,
  type ColdStart,
  type ColdStartEvent,
  type ColdStartPhase,
  type ColdStartSplit,
  formatColdStart,
  isColdStartComplete,
  NO_COLD_START,
  type StartingPod,
  splitColdStart,
} from './cold-start.ts';

/** From the overhead of the operator to the load time of a large model. */
const BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800];

/** The content of `status.coldStart`. */
export type ColdStartStatus = Partial<Record<ColdStartPhase, string>>;

/** Cold starts for a request, and the milliseconds of all of them from a pod on a node to the last router that knew it. */
export interface Wakes {
  wakes: number;
  coldStartMs: number;
}

const NO_WAKES: Wakes = { wakes: 0, coldStartMs: 0 };

interface Model {
  current: ColdStart;
  last: ColdStartStatus | undefined;
  /** Since they were taken. */
  wakes: Wakes;
}

export interface ColdStartRecorderOptions {
  models: Watchable<KubeObject>;
  clock: Clock;
  registry?: Registry | undefined;
  /** Called when `last(uid)` has changed. */
  onRecorded?: (uid: string) => void;
}

/** By model UID. All methods are idempotent and may be called in any order. */
export class ColdStartRecorder {
  readonly #options: ColdStartRecorderOptions;
  readonly #models: PerObject<Model>;
  readonly #observe: (phase: ColdStartPhase, milliseconds: number) => void;

  constructor(options: ColdStartRecorderOptions) {
    this.#options = options;
    this.#models = new PerObject(options.models);
    this.#observe = observer(options.registry);
  }

  /** A request waits for a model without engines. */
  held(uid: string): void {
    this.#apply(uid, { type: 'held', at: this.#at() });
  }

  /** No request waits for the model any more. */
  released(uid: string): void {
    if (this.#models.has(uid)) this.#apply(uid, { type: 'released' });
  }

  /** Replicas were raised from zero. */
  scaled(uid: string): void {
    const unfinished = this.#models.get(uid);
    if (unfinished?.current.routed !== undefined) this.#record(uid, unfinished);
    this.#apply(uid, { type: 'scaled', at: this.#at() });
  }

  /** Whether a start of the model is in progress, so that its pods matter. */
  isStarting(uid: string): boolean {
    return this.#models.get(uid)?.current.scaled !== undefined;
  }

  /** Observes the pods of the model. Call it whenever one of them changes. */
  pods(uid: string, pods: readonly StartingPod[]): void {
    if (!this.isStarting(uid)) return;
    this.#apply(uid, { type: 'pods', at: this.#at(), wall: this.#options.clock.now(), pods });
  }

  /** All routers have confirmed a route table with an engine of the model. */
  routed(uid: string): void {
    if (this.#models.has(uid)) this.#apply(uid, { type: 'routed', at: this.#at() });
  }

  /** A waiting request is being answered. */
  firstByte(uid: string): void {
    if (this.#models.has(uid)) this.#apply(uid, { type: 'firstByte', at: this.#at() });
  }

  /** The start failed. */
  gaveUp(uid: string): void {
    const model = this.#models.get(uid);
    if (model) model.current = NO_COLD_START;
  }

  /** The phases of the last cold start that this process observed to its end. */
  last(uid: string): ColdStartStatus | undefined {
    return this.#models.get(uid)?.last;
  }

  /** The cold starts that ended since the last call. */
  takeWakes(uid: string): Wakes {
    const model = this.#models.get(uid);
    if (!model) return NO_WAKES;
    const { wakes } = model;
    model.wakes = NO_WAKES;
    return wakes;
  }

  #at(): number {
    return this.#options.clock.monotonic();
  }

  #apply(uid: string, event: ColdStartEvent): void {
    const model = this.#models.getOr(uid, () => ({
      current: NO_COLD_START,
      last: undefined,
      wakes: NO_WAKES,
    }));
    model.current = advanceColdStart(model.current, event);
    if (isColdStartComplete(model.current)) this.#record(uid, model);
  }

  #record(uid: string, model: Model): void {
    const split = splitColdStart(model.current);
    for (const phase of COLD_START_PHASES) {
      const milliseconds = split[phase];
      if (milliseconds !== undefined) this.#observe(phase, milliseconds);
    }
    model.wakes = withWake(model.wakes, split);
    model.last = formatColdStart(split);
    model.current = NO_COLD_START;
    this.#options.onRecorded?.(uid);
  }
}

/** A start that no request waited for is the choice of a schedule or of the owner. */
function withWake(
  { wakes, coldStartMs }: Wakes,
  { detect, pull = 0, load = 0, ready = 0 }: ColdStartSplit,
): Wakes {
  if (detect === undefined) return { wakes, coldStartMs };
  return { wakes: wakes + 1, coldStartMs: coldStartMs + Math.round(pull + load + ready) };
}

function observer(registry: Registry | undefined): (phase: ColdStartPhase, milliseconds: number) => void {
  if (!registry) return () => {};
  const metric = histogram(registry, {
    name: 'vllm_operator_cold_start_seconds',
    help: 'Phases of cold starts: detect, schedule, pull, load, ready, firstByte.',
    labelNames: ['phase'],
    buckets: BUCKETS,
  });
  for (const phase of COLD_START_PHASES) metric.zero({ phase });
  return (phase, milliseconds) => metric.observe({ phase }, milliseconds / 1000);
}
