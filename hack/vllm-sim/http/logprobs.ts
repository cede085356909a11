/** Plausible log probabilities: a function of the token, so that they repeat. */
import { tokenText } from '../engine/tokenizer.ts';

function logprobOf(id: number): number {
  return -((Math.imul(id, 2654435761) >>> 0) % 2000) / 1000;
}

interface TokenLogprob {
  token: string;
  logprob: number;
  bytes: number[];
}

function entry(id: number, shift: number): TokenLogprob {
  const token = tokenText(id);
  return { token, logprob: logprobOf(id) - shift, bytes: [...Buffer.from(token)] };
}

/** `logprobs` of a chat choice. */
export function chatLogprobs(
  ids: readonly number[],
  top: number,
): { content: (TokenLogprob & { top_logprobs: TokenLogprob[] })[] } {
  return {
    content: ids.map((id) => ({
      ...entry(id, 0),
      top_logprobs: Array.from({ length: top }, (_, i) => entry(id + i, i)),
    })),
  };
}

/** `logprobs` of a completion choice; `offset` is the text before. */
export function completionLogprobs(
  ids: readonly number[],
  top: number,
  offset = 0,
): {
  text_offset: number[];
  token_logprobs: number[];
  tokens: string[];
  top_logprobs: Record<string, number>[];
} {
  const tokens = ids.map(tokenText);
  let at = offset;
  return {
    text_offset: tokens.map((token) => {
      const start = at;
      at += token.length;
      return start;
    }),
    token_logprobs: ids.map(logprobOf),
    tokens,
    top_logprobs: ids.map((id) =>
      Object.fromEntries(
        Array.from({ length: Math.max(1, top) }, (_, i) => [tokenText(id + i), logprobOf(id) - i]),
      ),
    ),
  };
}
