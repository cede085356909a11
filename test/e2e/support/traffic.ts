/** Requests as clients make them, and what became of each. */
import type OpenAI from 'openai';
import { onTestFinished } from 'vitest';

/** What became of one streamed answer. */
export interface StreamOutcome {
  /** The engine pod that answered; empty when none did. */
  pod: string;
  /** Parts with content. A simulated engine sends one per token. */
  chunks: number;
  finishReason: string | undefined;
  /** What ended the stream before its end. */
  error?: unknown;
}

export interface StreamRequest {
  tokens: number;
  /** Called after each part with content. */
  onChunk?: () => void;
  prompt?: string;
}

/** Asks for a stream of exactly so many tokens and reads it to its end. Never rejects. */
export async function stream(
  client: OpenAI,
  model: string,
  { tokens, onChunk, prompt = 'Go on.' }: StreamRequest,
): Promise<StreamOutcome> {
  const outcome: StreamOutcome = { pod: '', chunks: 0, finishReason: undefined };
  try {
    const { data, response } = await client.chat.completions
      .create({
        model,
        messages: [{ role: 'user', content: prompt }],
        max_tokens: tokens,
        stream: true,
        ...{ ignore_eos: true },
      })
      .withResponse();
    outcome.pod = response.headers.get('x-vllm-sim-pod') ?? '';
    for await (const part of data) {
      const [choice] = part.choices;
      if (choice?.delta.content) {
        outcome.chunks += 1;
        onChunk?.();
      }
      outcome.finishReason = choice?.finish_reason ?? outcome.finishReason;
    }
  } catch (error) {
    outcome.error = error;
  }
  return outcome;
}

/** Why a stream of so many tokens is not what was asked for; undefined when it is. */
export function streamFailure(outcome: StreamOutcome, tokens: number): string | undefined {
  if (outcome.error !== undefined) return `${outcome.pod}: ${String(outcome.error)}`;
  if (outcome.finishReason === 'length' && outcome.chunks === tokens) return undefined;
  return `${outcome.pod}: ${outcome.chunks} of ${tokens} chunks, finish_reason ${outcome.finishReason}`;
}

/** The engine pod that answers one short request. Rejects when it fails. */
export async function ask(client: OpenAI, model: string, prompt = 'Say hello.'): Promise<string> {
  const { data, response } = await client.chat.completions
    .create({ model, messages: [{ role: 'user', content: prompt }], max_tokens: 4 })
    .withResponse();
  if (!data.choices[0]?.message.content) throw new Error(`an answer without text: ${JSON.stringify(data)}`);
  return response.headers.get('x-vllm-sim-pod') ?? '';
}

/** Clients that ask without a pause, some for streams, and count what went wrong; they end with the test at the latest. */
export class Traffic {
  readonly #stop = new AbortController();
  readonly #clients: Promise<void>[];
  readonly failures: string[] = [];
  readonly pods = new Set<string>();
  answered = 0;
  streamed = 0;

  /** Concurrent tests pass the `onTestFinished` of their context: the general one does not know which of them it is. */
  constructor(
    client: OpenAI,
    model: string,
    { askers = 2, streamers = 2, tokens = 40, onTestFinished: register = onTestFinished } = {},
  ) {
    const asker = async () => {
      this.pods.add(await ask(client, model, `question ${this.answered}`));
      this.answered += 1;
    };
    const streamer = async () => {
      const outcome = await stream(client, model, { tokens, prompt: `story ${this.streamed}` });
      const failure = streamFailure(outcome, tokens);
      if (failure !== undefined) throw new Error(failure);
      this.streamed += 1;
    };
    this.#clients = [
      ...Array.from({ length: askers }, () => this.#repeat(asker)),
      ...Array.from({ length: streamers }, () => this.#repeat(streamer)),
    ];
    register(async () => void (await this.stop()));
  }

  async #repeat(action: () => Promise<void>): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await action();
      } catch (error) {
        this.failures.push(String(error));
      }
    }
  }

  /** Lets what is under way end, and no more begin. */
  async stop(): Promise<this> {
    this.#stop.abort();
    await Promise.all(this.#clients);
    return this;
  }
}
