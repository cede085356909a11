/** POST /v1/completions. */
import { END_OF_TEXT } from '../engine/token-source.ts';
import { detokenize } from '../engine/tokenizer.ts';
import { shuttingDown } from './api-error.ts';
import type { Exchange } from './exchange.ts';
import { type Body, flag, integer, text } from './fields.ts';
import { collect, failureOf, type GenerationRequest, generate, resolveModel } from './generation.ts';
import { completionLogprobs } from './logprobs.ts';
import { readPrompts } from './prompt.ts';
import { readSampling, readStreamOptions } from './sampling.ts';
import { chunkUsage, usageOf } from './usage.ts';

/** vLLM's default of max_tokens for completions, as OpenAI's. */
const DEFAULT_MAX_TOKENS = 16;

interface CompletionRequest {
  /** One per prompt; choice index counts through prompts and n. */
  generations: GenerationRequest[];
  echo: boolean;
  logprobs: number | undefined;
  usage: { final: boolean; continuous: boolean };
}

export async function completions(exchange: Exchange): Promise<void> {
  const { sim } = exchange;
  const body = await exchange.readJson();
  const request = readCompletion(exchange, body);
  if (flag(body, 'stream') === true) {
    streamCompletion(exchange, request);
    return;
  }
  const results = await Promise.all(
    request.generations.map((generation) =>
      collect(sim, generation, (abort) => exchange.onDisconnect(abort)),
    ),
  );
  const prompts = request.generations.map(({ tokens }) => tokens);
  const flat = results.flatMap((choices, at) =>
    choices.map((choice) => ({ choice, prompt: prompts[at] ?? [] })),
  );
  exchange.json(200, {
    id: `cmpl-${exchange.id}`,
    object: 'text_completion',
    created: Math.floor(Date.now() / 1000),
    model: request.generations[0]?.model.name,
    choices: flat.map(({ choice, prompt }, index) => ({
      index,
      text: (request.echo ? detokenize(prompt) : '') + choice.text,
      logprobs:
        request.logprobs === undefined
          ? null
          : completionLogprobs(
              choice.ids.filter((id) => id !== END_OF_TEXT),
              request.logprobs,
            ),
      finish_reason: choice.end.reason,
      stop_reason: choice.end.stopReason,
      token_ids: null,
      prompt_logprobs: null,
      prompt_token_ids: null,
    })),
    service_tier: null,
    system_fingerprint: null,
    usage: usageOf(
      sim,
      prompts.reduce((sum, { length }) => sum + length, 0),
      flat.reduce((sum, { choice }) => sum + choice.end.outputTokens, 0),
      results.reduce((sum, [first]) => sum + (first?.end.cachedTokens ?? 0), 0),
    ),
    kv_transfer_params: null,
  });
}

function readCompletion(exchange: Exchange, body: Body): CompletionRequest {
  const { sim } = exchange;
  const usage = readStreamOptions(body, sim.settings.forceUsage);
  const prompts = readPrompts(body, 'prompt');
  const model = resolveModel(sim, body);
  const tokenIds = Array.isArray(body.prompt) && typeof body.prompt[0] !== 'string';
  if (sim.status === 'draining' && !tokenIds) {
    throw shuttingDown();
  }
  const cacheSalt = text(body, 'cache_salt');
  const generations = prompts.map((tokens) => ({
    tokens,
    model,
    sampling: readSampling(body, {
      promptTokens: tokens.length,
      maxModelLen: sim.settings.maxModelLen,
      maxTokens:
        integer(body, 'max_tokens') ?? Math.min(DEFAULT_MAX_TOKENS, sim.settings.maxModelLen - tokens.length),
      maxTokensName: 'max_tokens',
      priorityScheduling: sim.settings.priorityScheduling,
    }),
    ...(cacheSalt === undefined ? {} : { cacheSalt }),
    ...(sim.settings.mode === 'echo' ? { answer: detokenize(tokens) } : {}),
  }));
  return { generations, echo: flag(body, 'echo') === true, logprobs: integer(body, 'logprobs'), usage };
}

function streamCompletion(exchange: Exchange, request: CompletionRequest): void {
  const { sim } = exchange;
  const model = request.generations[0]?.model.name ?? '';
  const head =
    `{"id":"cmpl-${exchange.id}","object":"text_completion","created":${Math.floor(Date.now() / 1000)},` +
    `"model":${JSON.stringify(model)},"choices":[`;
  const prompt = request.generations.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const n = request.generations[0]?.sampling.n ?? 1;
  let left = request.generations.length * n;
  let completion = 0;
  const stream = exchange.stream();
  const offsets: number[] = [];
  for (const [at, generation] of request.generations.entries()) {
    const abort = generate(sim, generation, (choice, { id, text: piece, end }) => {
      const index = at * n + choice;
      if (stream.closed) {
        abort();
        return;
      }
      if (end?.reason === 'error') {
        stream.fail(failureOf(sim).body());
        return;
      }
      completion += id === undefined ? 0 : 1;
      const echoed = request.echo && offsets[index] === undefined ? detokenize(generation.tokens) : '';
      const logprobs =
        request.logprobs === undefined || id === undefined || id === END_OF_TEXT
          ? null
          : completionLogprobs([id], request.logprobs, offsets[index] ?? 0);
      offsets[index] = (offsets[index] ?? 0) + piece.length;
      const data = {
        index,
        text: echoed + piece,
        logprobs,
        finish_reason: end?.reason ?? null,
        stop_reason: end?.stopReason ?? null,
        prompt_token_ids: null,
        token_ids: null,
      };
      const usage = request.usage.continuous ? JSON.stringify(chunkUsage(prompt, completion)) : 'null';
      stream.send(`${head}${JSON.stringify(data)}],"usage":${usage}}`);
      left -= end === undefined ? 0 : 1;
      if (left === 0) {
        if (request.usage.final) {
          stream.send(`${head}],"usage":${JSON.stringify(chunkUsage(prompt, completion))}}`);
        }
        stream.end('[DONE]');
      }
    });
    exchange.onDisconnect(abort);
  }
}
