/** A client that keeps asking, one request after the other, and counts what went wrong. */
import type OpenAI from 'openai';

export interface TrafficReport {
  answered: number;
  failures: string[];
}

/** Asks until the signal aborts. Nothing is retried by the client, so that every failure counts. */
export async function keepAsking(
  client: OpenAI,
  model: string,
  signal: AbortSignal,
  maxTokens = 8,
): Promise<TrafficReport> {
  const report: TrafficReport = { answered: 0, failures: [] };
  while (!signal.aborted) {
    try {
      await client.chat.completions.create(
        {
          model,
          messages: [{ role: 'user', content: `question ${report.answered} of ${performance.now()}` }],
          max_tokens: maxTokens,
        },
        { maxRetries: 0 },
      );
      report.answered += 1;
    } catch (error) {
      report.failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  return report;
}
