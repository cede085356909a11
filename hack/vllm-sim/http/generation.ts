/** From a request's tokens to the sequences that answer it. */
import { type HashedPrompt, hashPrompt } from '../engine/chain-hash.ts';
import { GeneratedSource } from '../engine/generated-source.ts';
import type { SequenceEnd, SequenceOutput } from '../engine/sequence.ts';
import type { Sim } from '../sim.ts';
import { ApiError, engineDead, generationFailed, modelNotFound } from './api-error.ts';
import { type Body, text } from './fields.ts';
import type { Sampling } from './sampling.ts';

export interface GenerationRequest {
  tokens: readonly number[];
  sampling: Sampling;
  /** Served model or adapter, as resolved. */
  model: ResolvedModel;
  cacheSalt?: string;
  /** A fixed answer: the echo of the prompt, or a tool call's arguments. */
  answer?: string;
}

export interface ResolvedModel {
  /** Name for the answer: the first served name, or the adapter's. */
  name: string;
  adapter?: string;
}

/** A choice as collected for an answer in one piece. */
export interface Choice {
  text: string;
  /** Token ids without the end of text. */
  ids: number[];
  end: SequenceEnd;
}

/** Finds the model that a body names; without a name, the served one. Throws ApiError 404. */
export function resolveModel(sim: Sim, body: Body): ResolvedModel {
  const model = text(body, 'model');
  const [served = ''] = sim.settings.servedNames;
  if (model === undefined || model === '' || sim.settings.servedNames.includes(model)) {
    return { name: served };
  }
  if (sim.adapters.has(model)) {
    return { name: model, adapter: model };
  }
  throw modelNotFound(
    model,
    sim.settings.recent ? [...sim.settings.servedNames, ...sim.adapters.keys()] : [],
  );
}

/** Starts all choices; the result aborts them. Throws ApiError when the core is dead. */
export function generate(
  sim: Sim,
  request: GenerationRequest,
  emit: (index: number, output: SequenceOutput) => void,
): () => void {
  if (sim.status === 'dead') {
    throw engineDead();
  }
  const { sampling } = request;
  const prompt = promptOf(sim, request);
  const seed = seedOf(sim, prompt, request);
  const aborts = Array.from({ length: sampling.n }, (_, index) => {
    if (sim.status === 'draining') {
      queueMicrotask(() => emit(index, { text: '', end: abortedEnd() }));
      return () => {};
    }
    const source = new GeneratedSource({
      seed: seed + index * 7919,
      meanTokens: sim.settings.timing.outputTokens,
      minTokens: sampling.ignoreEos ? Number.POSITIVE_INFINITY : sampling.minTokens,
      stop: sampling.stop,
      includeStop: sampling.includeStop,
      ...(request.answer === undefined ? {} : { text: request.answer }),
    });
    return sim.submit({
      prompt,
      source,
      maxTokens: sampling.maxTokens,
      priority: sampling.priority,
      n: sampling.n,
      ...(request.model.adapter === undefined ? {} : { adapter: request.model.adapter }),
      emit: (output) => emit(index, output),
    });
  });
  return () => {
    for (const abort of aborts) {
      abort();
    }
  };
}

/** Runs all choices to their end. Rejects with ApiError 500 when the engine fails. */
export async function collect(
  sim: Sim,
  request: GenerationRequest,
  onDisconnect: (abort: () => void) => void,
): Promise<Choice[]> {
  const choices = await new Promise<Choice[]>((resolve) => {
    const partial = Array.from({ length: request.sampling.n }, () => ({ text: '', ids: [] as number[] }));
    const done: Choice[] = [];
    let left = partial.length;
    const abort = generate(sim, request, (index, output) => {
      const choice = partial[index];
      if (choice === undefined) {
        return;
      }
      choice.text += output.text;
      if (output.id !== undefined) {
        choice.ids.push(output.id);
      }
      if (output.end !== undefined) {
        done[index] = { ...choice, end: output.end };
        left -= 1;
        if (left === 0) {
          resolve(done);
        }
      }
    });
    onDisconnect(abort);
  });
  for (const { end } of choices) {
    throwIfFailed(sim, end);
  }
  return choices;
}

/** The error of an end with reason `error`, if it is one. */
export function throwIfFailed(sim: Sim, end: SequenceEnd): void {
  if (end.reason === 'error') {
    throw failureOf(sim);
  }
}

export function failureOf(sim: Sim): ApiError {
  return sim.status === 'dead' ? engineDead() : generationFailed();
}

/** A prompt to embed or score: computed, and nothing generated. */
export function prefill(sim: Sim, tokens: readonly number[]): Promise<SequenceEnd> {
  return new Promise((resolve, reject) => {
    if (sim.status !== 'serving') {
      reject(
        sim.status === 'dead' ? engineDead() : new ApiError(500, 'InternalServerError', 'Request aborted'),
      );
      return;
    }
    sim.submit({
      prompt: hashPrompt(tokens, sim.settings.blockSize),
      maxTokens: 0,
      priority: 0,
      n: 1,
      emit: ({ end }) => {
        if (end?.reason === 'error') {
          reject(failureOf(sim));
        } else if (end !== undefined) {
          resolve(end);
        }
      },
    });
  });
}

function promptOf(sim: Sim, request: GenerationRequest): HashedPrompt {
  const salt = `${request.model.adapter ?? ''}\n${request.cacheSalt ?? ''}`;
  return hashPrompt(request.tokens, sim.settings.blockSize, salt === '\n' ? '' : salt);
}

/** Greedy and seeded requests have the same result each time; others are random. */
function seedOf(sim: Sim, prompt: HashedPrompt, { sampling }: GenerationRequest): number {
  if (sampling.temperature === 0) {
    return prompt.chain.value;
  }
  if (sampling.seed !== undefined) {
    return (prompt.chain.value + sampling.seed * 104729) % Number.MAX_SAFE_INTEGER;
  }
  return Math.floor(sim.random() * 2 ** 52);
}

function abortedEnd(): SequenceEnd {
  return { reason: 'abort', stopReason: null, outputTokens: 0, cachedTokens: 0 };
}
