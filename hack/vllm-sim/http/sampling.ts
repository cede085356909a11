/** Sampling parameters of a request, checked as vLLM checks them. */
import { badFields, badValue } from './api-error.ts';
import { type Body, flag, integer, number, record, texts } from './fields.ts';

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
}

/** Throws ApiError 400 for values out of range and for a prompt that does not fit the context. */
export function readSampling(body: Body, limits: SamplingLimits): Sampling {
  const temperature = number(body, 'temperature') ?? 1;
  if (temperature < 0) {
    throw badValue(`temperature must be non-negative, got ${temperature}.`, 'temperature', temperature);
  }
  const topP = number(body, 'top_p') ?? 1;
  if (topP <= 0 || topP > 1) {
    throw badValue(`top_p must be in (0, 1], got ${topP}.`, 'top_p', topP);
  }
  for (const name of ['presence_penalty', 'frequency_penalty']) {
    const value = number(body, name) ?? 0;
    if (value < -2 || value > 2) {
      throw badValue(`${name} must be in [-2, 2], got ${value}.`, name, value);
    }
  }
  const n = integer(body, 'n') ?? 1;
  if (n < 1) {
    throw badValue(`n must be at least 1, got ${n}.`, 'n', n);
  }
  if (n > 1 && temperature === 0) {
    throw badValue(`n must be 1 when using greedy sampling, got ${n}.`, 'n', n);
  }
  const priority = integer(body, 'priority') ?? 0;
  if (priority !== 0 && !limits.priorityScheduling) {
    throw badValue(`Got priority ${priority} but Priority scheduling is not enabled.`, 'priority');
  }
  return {
    n,
    maxTokens: readMaxTokens(limits),
    minTokens: integer(body, 'min_tokens') ?? 0,
    ignoreEos: flag(body, 'ignore_eos') ?? false,
    stop: texts(body, 'stop'),
    includeStop: flag(body, 'include_stop_str_in_output') ?? false,
    temperature,
    seed: integer(body, 'seed'),
    priority,
  };
}

function readMaxTokens(limits: SamplingLimits): number {
  const { promptTokens, maxModelLen, maxTokens, maxTokensName } = limits;
  if (maxTokens !== undefined && maxTokens < 1) {
    throw badValue(`${maxTokensName} must be at least 1, got ${maxTokens}.`, maxTokensName, maxTokens);
  }
  if (maxTokens !== undefined && maxTokens > maxModelLen) {
    throw badValue(
      `${maxTokensName}=${maxTokens} cannot be greater than max_model_len=max_total_tokens=${maxModelLen}. ` +
        'Please request fewer output tokens.',
      maxTokensName,
      maxTokens,
    );
  }
  checkPromptLength(promptTokens, maxModelLen, maxTokens ?? 0);
  return maxTokens ?? maxModelLen - promptTokens;
}

/** Throws vLLM's context length error. The prompt is counted only as far as it is cut: one token past the limit. */
export function checkPromptLength(promptTokens: number, maxModelLen: number, maxTokens: number): void {
  const limit = maxModelLen - maxTokens;
  if (promptTokens > limit || (maxTokens === 0 && promptTokens >= maxModelLen)) {
    const atLeast = maxTokens === 0 ? Math.min(promptTokens, maxModelLen + 1) : limit + 1;
    throw badValue(
      `This model's maximum context length is ${maxModelLen} tokens. However, you requested ${maxTokens} output ` +
        `tokens and your prompt contains at least ${atLeast} input tokens, for a total of at least ` +
        `${atLeast + maxTokens} tokens. Please reduce the length of the input prompt or the number of requested ` +
        'output tokens.',
      'input_tokens',
      atLeast,
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
