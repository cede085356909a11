/** Single questions to a model, as a client of the OpenAI SDK asks them. */
import type OpenAI from 'openai';

/** An answer of random words may end with its first one; `min_tokens` is a field of vLLM. */
const LENGTH = { max_tokens: 16, min_tokens: 8 };

/** The answer of a chat completion, with its length and how long it took. */
export async function ask(client: OpenAI, model: string, signal: AbortSignal): Promise<string> {
  const started = performance.now();
  const answer = await client.chat.completions.create(
    { model, messages: [{ role: 'user', content: 'Say hello.' }], ...LENGTH },
    { signal },
  );
  const took = Math.round(performance.now() - started);
  return `${model}: "${answer.choices[0]?.message.content}" (${answer.usage?.completion_tokens} tokens in ${took} ms)`;
}

/** The same as a stream. */
export async function stream(client: OpenAI, model: string, signal: AbortSignal): Promise<string> {
  const chunks: string[] = [];
  const parts = await client.chat.completions.create(
    { model, messages: [{ role: 'user', content: 'Count.' }], ...LENGTH, stream: true },
    { signal },
  );
  for await (const part of parts) chunks.push(part.choices[0]?.delta.content ?? '');
  return `${model}: "${chunks.join('')}" (${chunks.length} chunks)`;
}
