import { expect, it } from 'vitest';
import { logTail } from '../../../../operator/controllers/shared/log-tail.ts';

it('is empty without a log', () => {
  expect(logTail(undefined)).toBe('');
  expect(logTail(' \n\r\n')).toBe('');
});

it('keeps the last lines, and of those the end', () => {
  const lines = Array.from({ length: 20 }, (_, at) => `line ${at}`);
  expect(logTail(lines.join('\n'))).toBe(lines.slice(-6).join(' | '));
  const long = logTail(`${'x'.repeat(5_000)} the cause`);
  expect(long).toHaveLength(700);
  expect(long).toMatch(/^…x+ the cause$/);
});

it('leaves out colours, times and what a terminal acts on', () => {
  const line =
    '(APIServer pid=1) INFO 07-01 12:00:00 [api_server.py:1] \u001b[1mHello\u001b[0m\u202eworld\t!';
  expect(logTail(line)).toBe('Hello world !');
});

it('leaves out what looks like a credential', () => {
  const text = 'redis://user:pass@cache:6379 Bearer abcdefghijkl hf_abcdefghijkl sk-abcdefghijkl';
  expect(logTail(text)).toBe('redis://…cache:6379 … … …');
});

it('takes time in proportion to what the kubelet passes on, whatever it holds', () => {
  const hostile = `${'hf_'.repeat(300_000)}${'(a pid='.repeat(300_000)}://${'a'.repeat(300_000)}`;
  expect(logTail(hostile).length).toBeLessThanOrEqual(700);
});
