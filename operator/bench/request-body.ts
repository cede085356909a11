/** The body of a request in the OpenAI API, as vLLM understands it. */
import type { LoadPlan } from './load-plan.ts';
import type { LoadRequest } from './request-source.ts';

/** Path of an API below the base URL. */
export const API_PATHS = { chat: 'v1/chat/completions', completions: 'v1/completions' } as const;

/**
 * A streaming request with temperature 0 and usage in its last event. Exact lengths take two parameters of vLLM's own,
 * `min_tokens` and `ignore_eos`.
 */
export function requestBody({ api, model }: Pick<LoadPlan, 'api' | 'model'>, request: LoadRequest): string {
  const { messages, outputTokens, exact } = request;
  return JSON.stringify({
    model,
    ...(api === 'chat' ? { messages } : { prompt: messages.map(({ content }) => content).join('\n') }),
    max_tokens: outputTokens,
    ...(exact && { min_tokens: outputTokens, ignore_eos: true }),
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
  });
}
