/** One request as a client makes it, and all that can be wrong with its answer. */
import { type Agent, request } from 'undici';

export interface Answer {
  /** Why the answer is not what was asked for; undefined when it is whole. */
  failure: string | undefined;
  /** From sending to the first byte of the body, in milliseconds. */
  firstByteMs: number;
  /** The engine that answered. */
  pod: string;
}

export interface Question {
  url: string;
  model: string;
  prompt: string;
  /** The answer has exactly so many. */
  tokens: number;
  stream: boolean;
  /** 0 makes the answer one of those that routers cache and share. */
  temperature: number;
  timeoutMs: number;
  /** Called at each part of a stream that has text. */
  onChunk?: () => void;
}

interface Usage {
  completion_tokens?: number;
}

interface Chunk {
  model?: string;
  error?: { message?: string };
  usage?: Usage | null;
  choices?: { finish_reason?: string | null; delta?: { content?: string }; message?: { content?: string } }[];
}

/** Asks, reads the answer to its end and judges it. Never rejects. */
export async function ask(question: Question, agent: Agent): Promise<Answer> {
  const { url, model, prompt, tokens, stream, temperature, timeoutMs } = question;
  const sent = performance.now();
  const answer: Answer = { failure: undefined, firstByteMs: Number.NaN, pod: '' };
  let text = '';
  try {
    const { statusCode, headers, body } = await request(`${url}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model,
        messages: [{ role: 'user', content: prompt }],
        max_tokens: tokens,
        ignore_eos: true,
        temperature,
        ...(stream && { stream: true, stream_options: { include_usage: true } }),
      }),
      dispatcher: agent,
      signal: AbortSignal.timeout(timeoutMs),
    });
    answer.pod = String(headers['x-vllm-sim-pod'] ?? '');
    body.setEncoding('utf8');
    for await (const part of body) {
      // Comments keep a waiting client's connection alive; they are no answer.
      if (Number.isNaN(answer.firstByteMs) && !isComment(part)) answer.firstByteMs = performance.now() - sent;
      text += part;
      if (question.onChunk && String(part).includes('"content"')) question.onChunk();
    }
    answer.failure =
      statusCode === 200
        ? (stream ? streamFailure : plainFailure)(text, question)
        : `status ${statusCode}: ${text.slice(0, 300)}`;
  } catch (error) {
    answer.failure = `${String(error)} after ${text.length} characters`;
  }
  return answer;
}

function isComment(part: unknown): boolean {
  return String(part).startsWith(':');
}

function plainFailure(text: string, { model, tokens }: Question): string | undefined {
  const { model: from, choices, usage } = JSON.parse(text) as Chunk;
  if (from !== model) return `answered by model ${from}`;
  if (!choices?.[0]?.message?.content) return 'an answer without text';
  if (choices[0].finish_reason !== 'length') return `finish_reason ${choices[0].finish_reason}`;
  return usageFailure(usage, tokens);
}

function streamFailure(text: string, { model, tokens }: Question): string | undefined {
  const events = text
    .split('\n\n')
    .filter((event) => event.startsWith('data: '))
    .map((event) => event.slice('data: '.length));
  if (events.at(-1) !== '[DONE]') return `cut after ${events.length} events: ${text.slice(-200)}`;
  const chunks = events.slice(0, -1).map((event) => JSON.parse(event) as Chunk);
  const error = chunks.find((chunk) => chunk.error)?.error;
  if (error) return `error event: ${error.message}`;
  const stranger = chunks.find((chunk) => chunk.model !== model);
  if (stranger) return `answered by model ${stranger.model}`;
  const parts = chunks.filter(({ choices }) => choices?.[0]?.delta?.content).length;
  if (parts !== tokens) return `${parts} of ${tokens} parts`;
  const ends = chunks.flatMap(({ choices }) => choices?.[0]?.finish_reason ?? []);
  if (ends.join() !== 'length') return `finish_reason ${ends.join()}`;
  return usageFailure(chunks.find(({ usage }) => usage)?.usage, tokens);
}

function usageFailure(usage: Usage | null | undefined, tokens: number): string | undefined {
  return usage?.completion_tokens === tokens ? undefined : `usage ${JSON.stringify(usage)}`;
}
