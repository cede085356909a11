/** Runs a load against a server and measures it. */
import { type Clock, systemClock } from '../kube/clock.ts';
import { type Arrival, arrivalTimes, type Stage, stagesOf, totalSeconds } from './arrival-times.ts';
import { baseUrl, HttpTarget, type Outcome } from './http-target.ts';
import type { LoadPlan } from './load-plan.ts';
import { type LoadProgress, ProgressRecorder } from './load-progress.ts';
import type { LoadResult, StepResult } from './load-result.ts';
import { measuredFor } from './objective.ts';
import { openLoop } from './open-loop.ts';
import { type RequestSource, requestSource } from './request-source.ts';
import { StepRecorder } from './step-recorder.ts';
import { workloadText } from './workload.ts';

const REPORT_EVERY_MS = 1000;

export interface LoadRun {
  /** Ends the run. The result then has what was measured until then. */
  signal: AbortSignal;
  clock?: Clock;
  random?: () => number;
  onProgress?: (progress: LoadProgress) => void;
  /** Called for the first failure of each kind, with what the server said. */
  onFailure?: (kind: string, message: string) => void;
}

/**
 * Runs a plan. Resolves once all requests have ended, or the signal aborts. Failures of requests are part of the result.
 * Throws TypeError if the URL is invalid and RangeError if a rate is not positive.
 */
export async function runLoad(plan: LoadPlan, run: LoadRun): Promise<LoadResult> {
  if (plan.rates.length === 0 || plan.rates.some((rate) => !(rate > 0)))
    throw new RangeError('rates: each has to be above 0, and there has to be one');
  const { clock = systemClock, random = Math.random, signal } = run;
  const stages = stagesOf(plan);
  const startedAt = new Date(clock.now()).toISOString();
  const load = new RunningLoad(plan, run, clock, requestSource(plan.workload, random), stages);
  const arrivals = arrivalTimes(stages, plan.arrivals, random);
  try {
    await load.run(arrivals);
    return {
      kind: 'LoadResult',
      version: 1,
      startedAt,
      url: baseUrl(plan.url).href,
      model: plan.model,
      api: plan.api,
      arrivals: plan.arrivals,
      workload: workloadText(plan.workload),
      objectives: [...plan.objectives],
      interrupted: signal.aborted,
      steps: load.results(),
    };
  } finally {
    await load.close();
  }
}

class RunningLoad {
  readonly #plan: LoadPlan;
  readonly #run: LoadRun;
  readonly #clock: Clock;
  readonly #source: RequestSource;
  readonly #target: HttpTarget;
  readonly #steps: StepRecorder[];
  readonly #progress: ProgressRecorder;
  readonly #startMs: number;
  readonly #reported = new Set<string>();
  readonly #idle = Promise.withResolvers<void>();
  /** Of all stages. */
  readonly #seconds: number;
  #sentAll = false;
  #stopMs = 0;

  constructor(plan: LoadPlan, run: LoadRun, clock: Clock, source: RequestSource, stages: readonly Stage[]) {
    this.#plan = plan;
    this.#run = run;
    this.#clock = clock;
    this.#source = source;
    this.#target = new HttpTarget(plan, clock);
    this.#startMs = clock.monotonic();
    this.#steps = recordersOf(stages, this.#startMs);
    this.#seconds = totalSeconds(stages);
    this.#progress = new ProgressRecorder(this.#startMs, this.#seconds);
  }

  async run(arrivals: Iterable<Arrival>): Promise<void> {
    const { signal } = this.#run;
    const stopReports = this.#reportRegularly();
    const onAbort = () => this.#idle.resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await openLoop(arrivals, {
        clock: this.#clock,
        signal,
        startMs: this.#startMs,
        endMs: this.#startMs + this.#seconds * 1000,
        send: (arrival, dueMs) => this.#send(arrival, dueMs),
      });
      this.#sentAll = !signal.aborted;
      if (this.#progress.open > 0 && !signal.aborted) await this.#idle.promise;
    } finally {
      this.#stopMs = this.#clock.monotonic();
      stopReports();
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Ends the requests that are open. */
  async close(): Promise<void> {
    await this.#target.close();
  }

  /** The steps that have begun. Requests that are open count as unfinished. */
  results(): StepResult[] {
    return this.#steps.flatMap((recorder) => {
      const elapsed = (this.#stopMs - recorder.beginMs) / 1000;
      const seconds = this.#sentAll ? recorder.seconds : Math.min(recorder.seconds, elapsed);
      return seconds > 0 ? this.#judge(recorder.result(seconds)) : [];
    });
  }

  #judge(result: StepResult): StepResult {
    const { objectives, maxErrorRate } = this.#plan;
    if (objectives.length === 0) return result;
    const meetsObjectives =
      result.completed > 0 &&
      result.errorRate <= maxErrorRate &&
      objectives.every((objective) => measuredFor(objective, result) <= objective.ms);
    return { ...result, meetsObjectives };
  }

  #send({ step }: Arrival, dueMs: number): void {
    const recorder = step === undefined ? undefined : this.#steps[step];
    if (this.#progress.open >= this.#plan.maxOpen) {
      recorder?.notSent();
      this.#progress.notSent();
      this.#reportFailure('not-sent', `${this.#plan.maxOpen} requests are open, which is the limit`);
      return;
    }
    this.#progress.sent();
    recorder?.sent(dueMs, this.#clock.monotonic(), this.#progress.open);
    this.#target.send(this.#source(), dueMs, {
      gap: (ms) => recorder?.gap(ms),
      end: (outcome) => this.#ended(recorder, dueMs, outcome),
    });
  }

  #ended(recorder: StepRecorder | undefined, dueMs: number, outcome: Outcome): void {
    if (this.#stopMs > 0) return;
    recorder?.ended(dueMs, outcome);
    this.#progress.ended(dueMs, outcome);
    if (outcome.failure === undefined) for (const each of this.#steps) each.served(outcome);
    else this.#reportFailure(outcome.failure, outcome.message ?? '');
    if (this.#sentAll && this.#progress.open === 0) this.#idle.resolve();
  }

  #reportFailure(kind: string, message: string): void {
    if (this.#reported.has(kind)) return;
    this.#reported.add(kind);
    this.#run.onFailure?.(kind, message);
  }

  /** Returns a function that ends the reports. */
  #reportRegularly(): () => void {
    const { onProgress } = this.#run;
    if (onProgress === undefined) return () => {};
    let cancel = () => {};
    const schedule = (): void => {
      cancel = this.#clock.setTimeout(() => {
        onProgress(this.#progress.report(this.#clock.monotonic()));
        schedule();
      }, REPORT_EVERY_MS);
    };
    schedule();
    return () => cancel();
  }
}

/** A recorder for each step, which knows when the step takes place. */
function recordersOf(stages: readonly Stage[], startMs: number): StepRecorder[] {
  let beginMs = startMs;
  return stages.flatMap(({ seconds, step, to }) => {
    const recorder = step === undefined ? [] : [new StepRecorder(to, beginMs, seconds)];
    beginMs += seconds * 1000;
    return recorder;
  });
}
