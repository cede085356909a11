/** Sampling parameters of a request, checked as vLLM checks them. */
import { badFields, badSchema, badValue, floatText } from './api-error.ts';
import { type Body, flag, integer, number, record, text, texts } from './fields.ts';

export interface Sampling {
  n: number;
  maxTokens: number;
  minTokens: number;
  ignoreEos: boolean;
  stop: string[];
  includeStop: boolean;
  temperature: number;
  seed: number | undefined;
  priority: number;
}

export interface SamplingLimits {
  promptTokens: number;
  maxModelLen: number;
  /** From the body; undefined means all that the context has room for. */
  maxTokens: number | undefined;
  maxTokensName: string;
  priorityScheduling: boolean;
  /** Answers as those of 0.32. */
  recent: boolean;
  /** The prompt was sent as token ids, so its length is known. */
  exact?: boolean;
}

/** Throws ApiError 400 for values out of range and for a prompt that does not fit the context. */
export function readSampling(body: Body, limits: SamplingLimits): Sampling {
  const temperature = number(body, 'temperature') ?? 1;
  if (temperature < 0) {
    const value = floatText(temperature);
    throw badValue(`temperature must be non-negative, got ${value}.`, 'temperature', value);
  }
  if (temperature > 2) {
    const value = floatText(temperature);
    throw badValue(`temperature must be in [0, 2], got ${value}.`, 'temperature', value);
  }
  const topP = number(body, 'top_p') ?? 1;
  if (topP <= 0 || topP > 1) {
    throw badValue(`top_p must be in (0, 1], got ${floatText(topP)}.`, 'top_p', floatText(topP));
  }
  for (const name of ['presence_penalty', 'frequency_penalty']) {
    const value = number(body, name) ?? 0;
    if (value < -2 || value > 2) {
      throw badValue(`${name} must be in [-2, 2], got ${floatText(value)}.`, null);
    }
  }
  const n = integer(body, 'n') ?? 1;
  if (n < 1) {
    throw badValue(`n must be at least 1, got ${n}.`, null);
  }
  if (n > 1 && temperature === 0) {
    throw badValue(`n must be 1 when using greedy sampling, got ${n}.`, null);
  }
  checkOthers(body);
  const maxTokens = readMaxTokens(limits);
  const minTokens = integer(body, 'min_tokens') ?? 0;
  if (minTokens < 0) {
    throw badValue(`min_tokens must be greater than or equal to 0, got ${minTokens}.`, null);
  }
  if (minTokens > maxTokens) {
    throw badValue(
      `min_tokens must be less than or equal to max_tokens=${maxTokens}, got ${minTokens}.`,
      null,
    );
  }
  return {
    n,
    maxTokens,
    minTokens,
    ignoreEos: flag(body, 'ignore_eos') ?? false,
    stop: texts(body, 'stop'),
    includeStop: flag(body, 'include_stop_str_in_output') ?? false,
    temperature,
    seed: integer(body, 'seed'),
    priority: limits.priorityScheduling ? (integer(body, 'priority') ?? 0) : 0,
  };
}

/** Parameters that change the text alone: checked, and without effect here. */
function checkOthers(body: Body): void {
  const topK = integer(body, 'top_k') ?? 0;
  if (topK < -1) {
    throw badValue(`top_k must be 0 (disable), or at least 1, got ${topK}.`, null);
  }
  const minP = number(body, 'min_p') ?? 0;
  if (minP < 0 || minP > 1) {
    throw badValue(`min_p must be in [0, 1], got ${floatText(minP)}.`, null);
  }
  const repetition = number(body, 'repetition_penalty') ?? 1;
  if (repetition <= 0) {
    throw badValue(`repetition_penalty must be greater than zero, got ${floatText(repetition)}.`, null);
  }
  if (texts(body, 'stop').includes('')) {
    throw badValue('stop cannot contain an empty string.', null);
  }
}

function readMaxTokens(limits: SamplingLimits): number {
  const { promptTokens, maxModelLen, maxTokens, maxTokensName, recent } = limits;
  if (maxTokens !== undefined && maxTokens < 1) {
    throw badValue(`${maxTokensName} must be at least 1, got ${maxTokens}.`, maxTokensName, maxTokens);
  }
  if (maxTokens !== undefined && maxTokens > maxModelLen) {
    throw badValue(
      `${maxTokensName}=${maxTokens} cannot be greater than max_model_len=${recent ? '' : 'max_total_tokens='}` +
        `${maxModelLen}. Please request fewer output tokens.`,
      maxTokensName,
      maxTokens,
    );
  }
  checkPromptLength(limits);
  const room = maxModelLen - promptTokens;
  return recent ? Math.min(maxTokens ?? room, room) : (maxTokens ?? room);
}

export type PromptLimits = Pick<
  SamplingLimits,
  'promptTokens' | 'maxModelLen' | 'maxTokens' | 'recent' | 'exact'
>;

/**
 * Throws vLLM's context length error. A text is counted only as far as it is cut: one token past the limit. From 0.32
 * on, an answer that has too little room is cut instead.
 */
export function checkPromptLength({
  promptTokens,
  maxModelLen,
  maxTokens = 0,
  recent,
  exact,
}: PromptLimits): void {
  const limit = maxModelLen - (recent ? 0 : maxTokens);
  if (promptTokens <= limit && (maxTokens > 0 || promptTokens < maxModelLen)) return;
  const least = exact ? '' : 'at least ';
  const count = exact ? promptTokens : Math.min(promptTokens, limit + 1);
  const what = recent
    ? `your prompt contains ${least}${count} input tokens, which exceeds this limit even without any output tokens. ` +
      'Please reduce the length of the input prompt.'
    : `you requested ${maxTokens} output tokens and your prompt contains ${least}${count} input tokens, for a total ` +
      `of ${least}${count + maxTokens} tokens. Please reduce the length of the input prompt or the number of ` +
      'requested output tokens.';
  throw badValue(
    `This model's maximum context length is ${maxModelLen} tokens. However, ${what}`,
    'input_tokens',
    count,
  );
}

/** Fields that chats and completions share, and that are refused before the prompt is read. */
export function checkFields(body: Body, recent: boolean): void {
  const promptLogprobs = integer(body, 'prompt_logprobs');
  if (
    promptLogprobs !== undefined &&
    flag(body, 'stream') === true &&
    (promptLogprobs > 0 || promptLogprobs === -1)
  ) {
    throw badValue('`prompt_logprobs` are not available when `stream=True`.', 'prompt_logprobs');
  }
  if (text(body, 'cache_salt') === '') {
    throw recent
      ? badFields("Parameter 'cache_salt' must be a non-empty string if provided.", 'cache_salt')
      : badSchema('string_too_short', ['cache_salt'], 'String should have at least 1 character', '');
  }
  const structured = record(body, 'structured_outputs') ?? {};
  const kinds = ['json', 'regex', 'choice', 'grammar', 'json_object'].filter(
    (kind) => structured[kind] != null,
  );
  if (kinds.length > 1) {
    throw badValue(
      "You can only use one kind of constraints for structured outputs ('json', 'regex' or 'choice').",
      null,
    );
  }
}

/** The most alternatives per token that are given: vLLM's default of --max-logprobs. */
const MAX_LOGPROBS = 20;

export function checkLogprobs(logprobs: number | undefined): void {
  if (logprobs !== undefined && logprobs > MAX_LOGPROBS) {
    throw badValue(
      `Requested sample logprobs of ${logprobs}, which is greater than max allowed: ${MAX_LOGPROBS}`,
      'logprobs',
      logprobs,
    );
  }
}

/** `stream_options`; only with `stream`. Returns whether usage is wanted at the end and in every chunk. */
export function readStreamOptions(body: Body, forced: boolean): { final: boolean; continuous: boolean } {
  const options = record(body, 'stream_options');
  if (options !== undefined && flag(body, 'stream') !== true) {
    throw badFields('Stream options can only be defined when `stream=True`.', 'stream_options');
  }
  const final = forced || (options !== undefined && flag(options, 'include_usage') === true);
  return {
    final,
    continuous: final && options !== undefined && flag(options, 'continuous_usage_stats') === true,
  };
}
