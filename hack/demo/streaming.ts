import type OpenAI from 'openai';

export interface StreamReport {
  /** Streams that came to their end. */
  ended: number;
  tokens: number;
  longestSeconds: number;
}

/** Long enough that one is in flight whenever an engine has to stop. */
const TOKENS = 1500;

/**
 * Reads one long stream after the other until the signal aborts; the last one is read to its end. Throws when a stream is
 * cut, or ends with fewer tokens than were asked for.
 */
export async function keepStreaming(
  client: OpenAI,
  model: string,
  signal: AbortSignal,
): Promise<StreamReport> {
  const report = { ended: 0, tokens: 0, longestSeconds: 0 };
  while (!signal.aborted) {
    const started = performance.now();
    const request = {
      model,
      messages: [{ role: 'user' as const, content: `story ${report.ended}` }],
      max_tokens: TOKENS,
      stream: true as const,
      stream_options: { include_usage: true },
      ignore_eos: true, // a field of vLLM
    };
    let tokens = 0;
    for await (const { usage } of await client.chat.completions.create(request))
      tokens = usage?.completion_tokens ?? tokens;
    if (tokens !== TOKENS) throw new Error(`a stream of ${TOKENS} tokens ended after ${tokens}`);
    report.ended += 1;
    report.tokens += tokens;
    report.longestSeconds = Math.max(report.longestSeconds, (performance.now() - started) / 1000);
  }
  return report;
}
