import { describe, expect, it } from 'vitest';
import { AnswerReader } from '../../../operator/bench/answer-reader.ts';

const token = (content: string): string =>
  `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
const END = 'data: {"choices":[{"delta":{},"finish_reason":"length"}]}\n\n';
const USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}\n\n';
const DONE = 'data: [DONE]\n\n';

function read(parts: readonly (string | Buffer)[], { streams = true, collects = true } = {}) {
  let texts = 0;
  const reader = new AnswerReader({
    streams,
    collects,
    onText: () => {
      texts += 1;
    },
  });
  for (const part of parts) reader.read(Buffer.from(part));
  reader.end();
  const { usage, failure, text } = reader;
  return { texts, usage, failure, text };
}

describe('an answer as a stream', () => {
  const whole = [': waiting\n\n', token(''), token('ä'), token('b'), END, USAGE, DONE].join('');
  const expected = {
    texts: 2,
    usage: { promptTokens: 7, outputTokens: 2 },
    failure: undefined,
    text: 'äb',
  };

  it('is the same however it is cut into parts', () => {
    const bytes = Buffer.from(whole);
    for (let at = 0; at <= bytes.length; at++)
      expect(read([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(expected);
    expect(read([...bytes].map((byte) => Buffer.from([byte])))).toEqual(expected);
  });

  it('may have CRLF, no blanks, and no end of the last line', () => {
    expect(read([whole.replaceAll('\n', '\r\n')])).toEqual(expected);
    expect(read([whole.replaceAll('data: ', 'data:')])).toEqual(expected);
    expect(read([whole.trimEnd()])).toEqual(expected);
  });

  it('of completions, and with reasoning, has text as well', () => {
    expect(read(['data: {"choices":[{"text":"a"}]}\n\n', DONE])).toMatchObject({ texts: 1, text: 'a' });
    const reasoning = 'data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}\n\n';
    expect(read([reasoning, DONE])).toMatchObject({ texts: 1, text: '' });
  });

  it('whose usage is no count has none', () => {
    for (const wrong of ['"x"', '-1', '1e99', '1.5', 'null'])
      expect(read([USAGE.replace('7', wrong), DONE]).usage).toBeUndefined();
  });

  it('with text about errors has not failed', () => {
    expect(read([token('"error": {"message": "no"}'), DONE]).failure).toBeUndefined();
  });

  it('with an error, or an event that is not JSON, does not end the load', () => {
    expect(read(['data: {"error":{"message":"no"}}\n\n', DONE]).failure).toBe('error-in-stream');
    expect(read(['data: {"usage": {\n\n', DONE])).toMatchObject({ failure: undefined, usage: undefined });
    expect(read(['data: null\n\ndata: "usage": {}\n\n', DONE]).failure).toBeUndefined();
  });
});

describe('an answer without a stream', () => {
  it('has its usage and its text', () => {
    const answer = {
      choices: [{ message: { content: 'hi' } }],
      usage: { prompt_tokens: 1, completion_tokens: 2 },
    };
    expect(read([JSON.stringify(answer)], { streams: false })).toEqual({
      texts: 0,
      usage: { promptTokens: 1, outputTokens: 2 },
      failure: undefined,
      text: 'hi',
    });
  });

  it('that is not JSON has failed', () => {
    expect(read(['<html>'], { streams: false }).failure).toBe('no-json');
  });
});
