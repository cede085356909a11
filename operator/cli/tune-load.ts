/** The load of a sweep: one rate for each run, with prompts of its own. */
import type { LoadPlan } from '../bench/load-plan.ts';
import type { StepResult } from '../bench/load-result.ts';
import { runLoad } from '../bench/run-load.ts';
import { TuneStoppedError } from '../tune/tune-stopped-error.ts';
import { printable } from '../values/printable.ts';
import type { BenchProcess } from './bench.ts';
import { ProgressOutput } from './progress-output.ts';

/** Failures of all requests that other settings do not change: the router is not reached, or does not take them. */
const HOPELESS = /^(connect-|status-(400|401|403|404|422)$)/;
/** Requests that are sent later than this distort what is measured. */
const LATE_MS = 20;
const MAX_MESSAGE = 300;

export class TuneLoad {
  readonly #plan: Omit<LoadPlan, 'model' | 'rates'>;
  readonly #io: BenchProcess;
  #hasWarned = false;

  constructor(plan: Omit<LoadPlan, 'model' | 'rates'>, io: BenchProcess) {
    this.#plan = plan;
    this.#io = io;
  }

  /** Most time that a run takes. */
  get seconds(): number {
    const { rampSeconds, warmUpSeconds, seconds, timeoutSeconds } = this.#plan;
    return rampSeconds + warmUpSeconds + seconds + timeoutSeconds;
  }

  /** Sends one request, and waits for its answer. What went wrong with the engine is in the status of the model. */
  async wake(model: string, timeoutSeconds: number, signal: AbortSignal): Promise<void> {
    const workload = { kind: 'random', promptTokens: 8, outputTokens: 1 } as const;
    const once = { rates: [1], seconds: 1, warmUpSeconds: 0, rampSeconds: 0, timeoutSeconds, workload };
    await this.#send({ ...this.#plan, ...once, model }, signal);
  }

  /**
   * Runs a rate.
   * @throws TuneStoppedError if no request can succeed, whatever the settings are.
   */
  async run(model: string, rate: number, signal: AbortSignal): Promise<StepResult> {
    const step = await this.#send({ ...this.#plan, model, rates: [rate] }, signal);
    const { p99 } = step.sendDelayMs;
    if (p99 > LATE_MS && !this.#hasWarned) {
      this.#hasWarned = true;
      this.#io.fail(
        `  Warning: 1 in 100 requests was sent ${Math.round(p99)} ms late or more: this machine is too slow or too busy, and latency includes it\n`,
      );
    }
    return step;
  }

  async #send(plan: LoadPlan, signal: AbortSignal): Promise<StepResult> {
    const progress = new ProgressOutput(this.#io.fail, this.#io.isTerminal);
    let said = '';
    const result = await runLoad(plan, {
      signal,
      ...(this.#io.isTerminal && { onProgress: (report) => progress.show(report) }),
      onFailure: (kind, message) => {
        said ||= `${kind}: ${printable(message).slice(0, MAX_MESSAGE)}`;
      },
    });
    progress.end();
    signal.throwIfAborted();
    const [step] = result.steps;
    if (step === undefined) throw new TypeError('a load of one rate has no step');
    const kinds = Object.keys(step.errors);
    if (step.completed === 0 && kinds.length > 0 && kinds.every((kind) => HOPELESS.test(kind)))
      throw new TuneStoppedError(
        `no request to ${plan.model} at ${plan.url} succeeds: ${said}; check --url, and the key in $VLLM_API_KEY or --api-key-file`,
      );
    return step;
  }
}
