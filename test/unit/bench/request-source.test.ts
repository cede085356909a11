import { describe, expect, it } from 'vitest';
import { requestBody } from '../../../operator/bench/request-body.ts';
import { requestSource } from '../../../operator/bench/request-source.ts';
import type { Workload } from '../../../operator/bench/workload.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const source = (workload: Workload) => requestSource(workload, seededRandom(1));
const words = (text: string | undefined): number => (text ?? '').split(' ').length;

it('random prompts have their length and nothing in common', () => {
  const next = source({ kind: 'random', promptTokens: 200, outputTokens: 100 });
  const prompts = Array.from({ length: 100 }, () => next().messages[0]?.content ?? '');
  expect(new Set(prompts.map(words))).toEqual(new Set([200]));
  expect(new Set(prompts.map((prompt) => prompt.split(' ').slice(0, 16).join(' '))).size).toBe(100);
});

it('a shared prefix comes from a few, and the rest of each prompt is its own', () => {
  const shape = { prefixes: 3, prefixTokens: 50, promptTokens: 10, outputTokens: 1 };
  const next = source({ kind: 'shared-prefix', ...shape });
  const prompts = Array.from({ length: 100 }, () => next().messages[0]?.content.split(' ') ?? []);
  expect(new Set(prompts.map(({ length }) => length))).toEqual(new Set([60]));
  expect(new Set(prompts.map((prompt) => prompt.slice(0, 50).join(' '))).size).toBe(3);
  expect(new Set(prompts.map((prompt) => prompt.slice(50).join(' '))).size).toBe(100);
});

it('prompts of a user are sent in turn, with a length of their own if they have one', () => {
  const prompts = ['a', 'b'].map((content) => ({ messages: [{ role: 'user' as const, content }] }));
  const [first, second] = prompts as [(typeof prompts)[0], (typeof prompts)[0]];
  const next = source({ kind: 'prompts', prompts: [first, { ...second, outputTokens: 5 }], outputTokens: 9 });
  expect(
    [next(), next(), next()].map(({ messages, outputTokens, exact }) => [
      messages[0]?.content,
      outputTokens,
      exact,
    ]),
  ).toEqual([
    ['a', 9, false],
    ['b', 5, false],
    ['a', 9, false],
  ]);
});

describe('conversations', () => {
  const workload = {
    kind: 'multi-turn',
    conversations: 2,
    turns: 3,
    promptTokens: 5,
    outputTokens: 1,
  } as const;

  it('go on with their answers, the one that has been idle for longest first, and end after their turns', () => {
    const next = source(workload);
    const [a, b] = [next(), next()];
    a.answered?.('answer a');
    b.answered?.('answer b');
    const second = next();
    expect(second.messages.slice(0, 2)).toEqual([a.messages[0], { role: 'assistant', content: 'answer a' }]);
    expect(second.messages).toHaveLength(3);
    second.answered?.('second answer');
    expect(next().messages[0]).toEqual(b.messages[0]);
    const third = next();
    expect(third.messages).toHaveLength(5);
    third.answered?.('last answer');
    expect(next().messages).toHaveLength(1);
  });

  it('never wait for an answer: an arrival begins one more if all are being answered', () => {
    const next = source(workload);
    const lengths = Array.from({ length: 5 }, () => next().messages.length);
    expect(lengths).toEqual([1, 1, 1, 1, 1]);
  });

  it('that failed do not go on', () => {
    const next = source({ ...workload, conversations: 1 });
    next().answered?.(undefined);
    expect(next().messages).toHaveLength(1);
  });
});

describe('the body of a request', () => {
  const request = { messages: [{ role: 'user' as const, content: 'Hi' }], outputTokens: 7, exact: true };

  it('asks for an exact length, temperature 0, and usage at the end of the stream', () => {
    expect(JSON.parse(requestBody({ api: 'chat', model: 'm' }, request))).toEqual({
      model: 'm',
      messages: [{ role: 'user', content: 'Hi' }],
      max_tokens: 7,
      min_tokens: 7,
      ignore_eos: true,
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it('has nothing that only vLLM understands if the answer may be shorter', () => {
    const body = JSON.parse(requestBody({ api: 'completions', model: 'm' }, { ...request, exact: false }));
    expect(body).toMatchObject({ prompt: 'Hi', max_tokens: 7 });
    expect(body).not.toHaveProperty('min_tokens');
    expect(body).not.toHaveProperty('ignore_eos');
  });
});
