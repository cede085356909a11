import type { Sim } from '../sim.ts';

export interface Usage {
  prompt_tokens: number;
  total_tokens: number;
  completion_tokens: number;
  prompt_tokens_details: { cached_tokens: number } | null;
}

/** Token counts of an answer; cached tokens only with --enable-prompt-tokens-details. */
export function usageOf(sim: Sim, promptTokens: number, completionTokens: number, cachedTokens = 0): Usage {
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + completionTokens,
    completion_tokens: completionTokens,
    prompt_tokens_details: sim.settings.promptTokensDetails ? { cached_tokens: cachedTokens } : null,
  };
}

/** Token counts during a stream. */
export function chunkUsage(
  promptTokens: number,
  completionTokens: number,
): Omit<Usage, 'prompt_tokens_details'> {
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + completionTokens,
    completion_tokens: completionTokens,
  };
}
