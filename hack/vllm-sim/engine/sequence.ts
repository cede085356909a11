import type { BlockHold } from './block-pool.ts';
import type { ChainHash, HashedPrompt } from './chain-hash.ts';
import type { TokenSource } from './token-source.ts';

export type FinishReason = 'stop' | 'length' | 'abort' | 'error';

export interface SequenceEnd {
  reason: FinishReason;
  stopReason: string | null;
  /** Includes the end-of-text token. */
  outputTokens: number;
  cachedTokens: number;
}

/** A step's result for one sequence; `id` is absent when the sequence ended without a token. */
export interface SequenceOutput {
  id?: number;
  text: string;
  end?: SequenceEnd;
}

/** One generation, or one prompt to embed when there is no source. */
export interface SequenceRequest {
  prompt: HashedPrompt;
  source?: TokenSource;
  maxTokens: number;
  /** Lower runs earlier, with priority scheduling. */
  priority: number;
  adapter?: string;
  /** Sequences of the request it belongs to, for metrics. */
  n: number;
  emit(output: SequenceOutput): void;
}

/** The scheduler's record of a request. Times are clock milliseconds. */
export interface Sequence {
  readonly request: SequenceRequest;
  /** Hashes of all full blocks, generated ones included. */
  readonly blocks: number[];
  /** Hash over prompt and output so far. */
  readonly chain: ChainHash;
  readonly arrival: number;
  hold: BlockHold | undefined;
  /** Tokens whose keys and values are in the cache. */
  computed: number;
  /** Tokens known: the prompt and what was generated. */
  known: number;
  /** Leading blocks that others can find. */
  published: number;
  outputs: number;
  /** Prompt tokens found in the cache at first admission; -1 before. */
  cached: number;
  scheduledAt: number;
  firstTokenAt: number;
  lastTokenAt: number;
  ended: boolean;
}

export function createSequence(request: SequenceRequest, now: number): Sequence {
  return {
    request,
    blocks: [...request.prompt.blocks],
    chain: request.prompt.chain.clone(),
    arrival: now,
    hold: undefined,
    computed: 0,
    known: request.prompt.length,
    published: 0,
    outputs: 0,
    cached: -1,
    scheduledAt: now,
    firstTokenAt: 0,
    lastTokenAt: 0,
    ended: false,
  };
}
