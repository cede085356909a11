import type { EngineName } from './engines.ts';

const VOCABULARY = 'the simulator has a token for every number';

/** Requests that the simulator may answer otherwise than vLLM, by engine, and why. */
export const EXCEPTIONS: Readonly<Record<EngineName, Readonly<Record<string, string>>>> = {
  chat: {
    '/v1/chat/completions error: a bias out of the vocabulary': VOCABULARY,
    '/v1/completions error: an id out of the vocabulary': VOCABULARY,
  },
  embed: {
    '/v1/embeddings a chat': 'the tiny model has no chat template; the simulator always has one',
  },
  rerank: {},
};

/**
 * Answers that are lists of what an engine offers: metrics, and paths of the API. The simulator offers a part; what it
 * leaves out is said in its README.
 */
export const PARTIAL: readonly string[] = ['metrics', 'openapi'];
