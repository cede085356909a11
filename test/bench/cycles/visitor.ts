/** The clients of one model: they come at the moments of its cycle at which a request could fall in between. */
import type { Agent } from 'undici';
import { sleep } from '../../../operator/kube/clock.ts';
import type { Random } from '../../integration/scaling/simulation/random.ts';
import type { Phase, Phases } from './phases.ts';
import { ask, type Question } from './request.ts';

type Draft = Pick<Question, 'prompt' | 'stream' | 'temperature' | 'tokens'>;

export interface Tally {
  requests: number;
  streams: number;
  lost: string[];
  /** Models, once for each time that one did not go to sleep, or its pods did not end. */
  stuck: string[];
  /** How many came in which phase. */
  arrivals: Map<Phase, number>;
  /** To the first byte, of requests that found no replicas and no pods. */
  wakesMs: number[];
}

export interface VisitorOptions {
  url: string;
  model: string;
  idleTimeoutMs: number;
  /** Between the decision to stop a pod and its end. */
  terminationMs: number;
  phases: Phases;
  random: Random;
  agent: Agent;
  tally: Tally;
}

/** No client waits for longer, and no model stays idle for longer without going to sleep. */
const PATIENCE_MS = 90_000;
const LONGEST_ANSWER = 60;

export class Visitor {
  readonly #options: VisitorOptions;
  #number = 0;

  constructor(options: VisitorOptions) {
    this.#options = options;
  }

  /** Comes again and again until the signal aborts; what is under way then ends as any other. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#visit(signal);
      await this.#untilMoment(signal);
    }
  }

  /** Waits for one of the moments, counted from the end of the last answer, which is now. */
  async #untilMoment(signal: AbortSignal): Promise<void> {
    const { random, idleTimeoutMs, terminationMs } = this.#options;
    const moment = random.next();
    // Around the timeout: just before it, while routers are told to hold and confirm, while the scale is patched.
    if (moment < 0.35) return await sleep(idleTimeoutMs + random.between(-150, 500));
    if (moment < 0.5) return await this.#in('stopping', signal, random.between(0, 30));
    if (moment < 0.75) return await this.#in('stopping', signal, random.between(0, terminationMs));
    await this.#in('stopping', signal, 0);
    await this.#in('asleep', signal, random.between(0, 200));
  }

  async #in(phase: Phase, signal: AbortSignal, laterMs: number): Promise<void> {
    const { phases, model, tally } = this.#options;
    const patience = AbortSignal.timeout(PATIENCE_MS);
    await phases.until(model, phase, AbortSignal.any([signal, patience]));
    if (patience.aborted) {
      tally.stuck.push(model);
      console.error(`${new Date().toISOString()} ${model} is ${phases.of(model)} and not ${phase}`);
    }
    await sleep(laterMs);
  }

  /** Some at once, and sometimes more that find the model starting or just ready. */
  async #visit(signal: AbortSignal): Promise<void> {
    const { random, phases, model } = this.#options;
    const asked = [this.#ask(this.#question())];
    while (random.chance(0.4)) asked.push(this.#ask(this.#question()));
    // Two that ask the same share one answer.
    if (random.chance(0.2)) {
      const shared = { ...this.#question(), temperature: 0 };
      asked.push(this.#ask(shared), this.#ask(shared));
    }
    const answered = Promise.race(asked);
    if (phases.of(model) !== 'serving' && random.chance(0.5)) {
      const laterMs = random.between(0, 40);
      const soon = random.between(0, 1_000);
      await (random.chance(0.5)
        ? sleep(soon)
        : Promise.race([answered, phases.until(model, 'serving', signal)]));
      await sleep(laterMs);
      asked.push(this.#ask(this.#question()));
    }
    await Promise.all(asked);
  }

  #question(): Draft {
    const { model, random } = this.#options;
    this.#number += 1;
    return {
      prompt: `visit ${this.#number} of ${model}`,
      stream: random.chance(0.5),
      temperature: 1,
      tokens: 1 + Math.floor(random.next() * LONGEST_ANSWER),
    };
  }

  async #ask(question: Draft): Promise<void> {
    const { url, model, agent, phases, tally } = this.#options;
    const phase = phases.of(model);
    const began = new Date();
    tally.requests += 1;
    if (question.stream) tally.streams += 1;
    tally.arrivals.set(phase, (tally.arrivals.get(phase) ?? 0) + 1);
    const { failure, firstByteMs } = await ask({ ...question, url, model, timeoutMs: PATIENCE_MS }, agent);
    if (phase === 'asleep' && failure === undefined) tally.wakesMs.push(firstByteMs);
    if (failure === undefined) return;
    const kind = question.stream ? 'stream' : 'request';
    const lost = `${began.toISOString()} ${kind} for ${model} while ${phase}, until ${new Date().toISOString()}: ${failure}`;
    tally.lost.push(lost);
    console.error(lost);
  }
}
