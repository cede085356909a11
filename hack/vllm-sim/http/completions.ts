/** POST /v1/completions. */
import { END_OF_TEXT } from '../engine/token-source.ts';
import { detokenize } from '../engine/tokenizer.ts';
import type { SimSettings } from '../settings.ts';
import { ApiError, badValue, shuttingDown } from './api-error.ts';
import type { Exchange } from './exchange.ts';
import { type Body, flag, integer, text } from './fields.ts';
import { collect, failureOf, type GenerationRequest, generate, resolveModel } from './generation.ts';
import { completionLogprobs } from './logprobs.ts';
import { readPrompts } from './prompt.ts';
import { checkFields, checkLogprobs, readSampling, readStreamOptions } from './sampling.ts';
import { structuredAnswer } from './structured.ts';
import { chunkUsage, finalUsage, usageOf } from './usage.ts';

/** vLLM's default of max_tokens for completions, as OpenAI's. */
const DEFAULT_MAX_TOKENS = 16;

interface CompletionRequest {
  /** One per prompt; choice index counts through prompts and n. */
  generations: GenerationRequest[];
  echo: boolean;
  logprobs: number | undefined;
  usage: { final: boolean; continuous: boolean };
  withIds: boolean;
  promptLogprobs: boolean;
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
      token_ids: request.withIds ? choice.ids : null,
      prompt_logprobs: request.promptLogprobs ? prompt.map(() => null) : null,
      prompt_token_ids: request.withIds ? prompt : null,
      routed_experts: null,
    })),
    service_tier: null,
    system_fingerprint: sim.fingerprint,
    usage: usageOf(
      sim,
      prompts.reduce((sum, { length }) => sum + length, 0),
      flat.reduce((sum, { choice }) => sum + choice.end.outputTokens, 0),
      results.reduce((sum, [first]) => sum + (first?.end.cachedTokens ?? 0), 0),
      null,
    ),
    kv_transfer_params: null,
    ec_transfer_params: null,
    metrics: null,
  });
}

function readCompletion(exchange: Exchange, body: Body): CompletionRequest {
  const { sim } = exchange;
  const { recent } = sim.settings;
  const usage = readStreamOptions(body, sim.settings.forceUsage);
  checkFields(body, recent);
  checkCompletion(body, recent);
  if (body.prompt === undefined || body.prompt === null || body.prompt === '') {
    throw badValue('Either prompt or prompt_embeds must be provided and non-empty.', 'prompt');
  }
  const prompts = readPrompts(body, 'prompt');
  if (prompts.length === 0 || prompts[0]?.length === 0) {
    throw badValue('You must pass at least one prompt', null);
  }
  const model = resolveModel(sim, body);
  const tokenIds = Array.isArray(body.prompt) && typeof body.prompt[0] !== 'string';
  if (sim.status === 'draining' && !tokenIds) {
    throw shuttingDown();
  }
  const cacheSalt = text(body, 'cache_salt');
  const echo = flag(body, 'echo') === true;
  const answer = structuredAnswer(body);
  checkTruncation(body, sim.settings);
  const generations = prompts.map((tokens) => ({
    tokens,
    model,
    sampling: readSampling(body, {
      promptTokens: tokens.length,
      maxModelLen: sim.settings.maxModelLen,
      maxTokens:
        (echo && integer(body, 'max_tokens') === 0 ? 1 : integer(body, 'max_tokens')) ??
        Math.min(DEFAULT_MAX_TOKENS, sim.settings.maxModelLen - tokens.length),
      maxTokensName: 'max_tokens',
      priorityScheduling: sim.settings.priorityScheduling,
      recent,
      exact: tokenIds,
    }),
    ...(cacheSalt === undefined ? {} : { cacheSalt }),
    ...(answer === undefined
      ? sim.settings.mode === 'echo'
        ? { answer: detokenize(tokens) }
        : {}
      : { answer }),
  }));
  const logprobs = integer(body, 'logprobs');
  checkLogprobs(logprobs);
  return {
    generations,
    echo,
    logprobs,
    usage,
    withIds: flag(body, 'return_token_ids') === true,
    promptLogprobs: integer(body, 'prompt_logprobs') !== undefined || (echo && logprobs !== undefined),
  };
}

/** Checks that vLLM makes only for completions. Throws ApiError 400. */
function checkCompletion(body: Body, recent: boolean): void {
  if (text(body, 'suffix') !== undefined) {
    throw recent
      ? new ApiError(
          400,
          'BadRequestError',
          'suffix is only supported for models with FIM completion rendering',
          'suffix',
        )
      : badValue('suffix is not currently supported', null);
  }
  const logprobs = integer(body, 'logprobs') ?? 0;
  if (logprobs < (recent ? -1 : 0)) {
    throw badValue(`\`logprobs\` must be a positive value${recent ? ' or -1' : ''}.`, 'logprobs', logprobs);
  }
}

function checkTruncation(body: Body, { maxModelLen, recent }: SimSettings): void {
  const asked = integer(body, 'truncate_prompt_tokens');
  const room = recent ? maxModelLen : maxModelLen - (integer(body, 'max_tokens') ?? DEFAULT_MAX_TOKENS);
  if (asked !== undefined && asked > room) {
    throw badValue(
      `truncate_prompt_tokens=${asked} cannot be greater than max_model_len${recent ? '' : ' - max_tokens'} = ${room}. ` +
        'Please request a smaller truncation size.',
      'truncate_prompt_tokens',
      asked,
    );
  }
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
  let cached = 0;
  const fingerprint = `,"system_fingerprint":"${sim.fingerprint}"`;
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
      cached += end?.cachedTokens ?? 0;
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
        prompt_token_ids: echoed === '' ? null : generation.tokens,
        token_ids: null,
      };
      const usage = request.usage.continuous
        ? `,"usage":${JSON.stringify(chunkUsage(prompt, completion))}`
        : '';
      left -= end === undefined ? 0 : 1;
      const last = left === 0 && !request.usage.final ? fingerprint : '';
      stream.send(`${head}${JSON.stringify(data)}]${usage}${last}}`);
      if (left === 0) {
        if (request.usage.final) {
          const usage = finalUsage(sim, prompt, completion, { cached_tokens: cached });
          stream.send(`${head}],"usage":${JSON.stringify(usage)}${fingerprint}}`);
        }
        stream.end('[DONE]');
      }
    });
    exchange.onDisconnect(abort);
  }
}
