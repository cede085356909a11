import type { Sim } from '../sim.ts';

export interface Usage {
  prompt_tokens: number;
  total_tokens: number;
  completion_tokens: number;
  prompt_tokens_details: {
    cached_tokens: number;
    created_cache_tokens: number | null;
    multimodal_tokens: null;
  } | null;
  completion_tokens_details: null;
}

/**
 * Token counts of an answer; cached tokens only with --enable-prompt-tokens-details.
 * @param created tokens new in the cache: a number for chats, null for completions
 */
export function usageOf(
  sim: Sim,
  promptTokens: number,
  completionTokens: number,
  cachedTokens: number,
  created: number | null,
): Usage {
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + completionTokens,
    completion_tokens: completionTokens,
    prompt_tokens_details: sim.settings.promptTokensDetails
      ? { cached_tokens: cachedTokens, created_cache_tokens: created, multimodal_tokens: null }
      : null,
    completion_tokens_details: null,
  };
}

/** Token counts in a chunk of a stream. */
export function chunkUsage(promptTokens: number, completionTokens: number): object {
  return { ...counts(promptTokens, completionTokens), completion_tokens_details: null };
}

/** Token counts at the end of a stream. */
export function finalUsage(
  sim: Sim,
  promptTokens: number,
  completionTokens: number,
  details: { cached_tokens: number; created_cache_tokens?: number },
): object {
  return {
    ...counts(promptTokens, completionTokens),
    ...(sim.settings.promptTokensDetails && { prompt_tokens_details: details }),
  };
}

function counts(promptTokens: number, completionTokens: number): object {
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + completionTokens,
    completion_tokens: completionTokens,
  };
}
