import { expect, it } from 'vitest';
import { timeless } from './timeless.ts';

const completion = (text: string, logprobs: object, finish: string | null): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, text, logprobs, finish_reason: finish }] })}\n\n`;

const tokens = (first: number, names: readonly string[]) => ({
  text_offset: names.map((_, i) => first + 2 * i),
  token_logprobs: names.map(() => -1.5),
  tokens: names,
  top_logprobs: names.map((name) => ({ [name]: -1.5 })),
});

it('a completion with log probabilities is the same in one event and in one for each token', () => {
  const apart =
    completion('ab', tokens(0, ['ab']), null) +
    completion('cd', tokens(2, ['cd']), null) +
    completion('ef', tokens(4, ['ef']), 'length');

  expect(timeless(apart)).toBe(timeless(completion('abcdef', tokens(0, ['ab', 'cd', 'ef']), 'length')));
  expect(timeless(apart)).not.toBe(timeless(completion('abcdef', tokens(0, ['ab', 'cd', 'eg']), 'length')));
  expect(timeless(apart)).not.toBe(timeless(completion('abcdef', tokens(1, ['ab', 'cd', 'ef']), 'length')));
});

it('a chat with log probabilities is the same in one event and in one for each token', () => {
  const chat = (names: readonly string[], finish: string | null) =>
    `data: ${JSON.stringify({
      choices: [
        {
          index: 0,
          delta: { content: names.join('') },
          logprobs: { content: names.map((token) => ({ token, logprob: -1.5, top_logprobs: [] })) },
          finish_reason: finish,
        },
      ],
    })}\n\n`;

  expect(timeless(chat(['ab'], null) + chat(['cd'], 'stop'))).toBe(timeless(chat(['ab', 'cd'], 'stop')));
  expect(timeless(chat(['ab'], null) + chat(['ce'], 'stop'))).not.toBe(timeless(chat(['ab', 'cd'], 'stop')));
});
