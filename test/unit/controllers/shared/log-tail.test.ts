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
  expect(logTail(text)).toBe('redis://…cache:6379 Bearer … … …');
});

it.each([
  ['VLLM_API_KEY=own-Word1', 'VLLM_API_KEY=…'],
  ['AWS_SECRET_ACCESS_KEY: wJalrXUtnFEMI/K7MDENG', 'AWS_SECRET_ACCESS_KEY: …'],
  [
    "Namespace(api_key=['own-word', 'other'], hf_token='own-word', port=8000)",
    "Namespace(api_key=['…', '…'], hf_token='…', port=8000)",
  ],
  ['{"password": "own word", "token":"own-word", "port": 1}', '{"password": "… …", "token":"…", "port": 1}'],
  ['unrecognized arguments: --api-key own-word --port 1', 'unrecognized arguments: --api-key … --port 1'],
  ['Authorization: Basic dXNlcjpwYXNz, bearer abcdefghijk', 'Authorization: Basic …, bearer …'],
  [
    'GET /a?X-Amz-Credential=AK/1&X-Amz-Signature=0a1b&sig=abc&x=1',
    'GET /a?X-Amz-Credential=…&X-Amz-Signature=…&sig=…&x=1',
  ],
  ['ghp_abcdefghijkl glpat-abcdefghijkl xoxb-1234567890 AIzaSyA12345678 nvapi-abcdefghijkl', '… … … … …'],
  ['AKIAIOSFODNN7EXAMPLE eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.abc_1-2', '… …'],
  ['postgres://user:pa/ss@db/x https://user@host/y', 'postgres://…db/x https://…host/y'],
  [
    `-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7${'x'.repeat(10)}\n`,
    '-----BEGIN PRIVATE KEY----- | …',
  ],
])('leaves out credentials however a program writes them: %s', (text, shown) => {
  expect(logTail(text)).toBe(shown);
});

it.each([
  'max_num_batched_tokens=8192 token_ids=[1, 2] KeyError: lm_head.weight',
  'unexpected key: model.layers.0, task-scheduler-1 at 10.0.0.1:8000',
  '/root/.cache/hub/models--Qwen--Qwen2.5-0.5B-Instruct/snapshots/7ae557604adf67be50417f59c2c2f167def9a775',
  'File "/usr/local/lib/python3.12/dist-packages/vllm/entrypoints/openai/api_server.py", line 12, in main',
  'The token is missing: https://huggingface.co/meta-llama/Llama-3.1-8B@main is gated',
])('keeps what only resembles one: %s', (text) => {
  expect(logTail(text)).toBe(text);
});

it('takes time in proportion to what the kubelet passes on, whatever it holds', () => {
  const hostile = `${'hf_'.repeat(300_000)}${'api_key=['.repeat(300_000)}${'://a:'.repeat(300_000)}${'(a pid='.repeat(300_000)}://${'a'.repeat(300_000)}`;
  expect(logTail(hostile).length).toBeLessThanOrEqual(700);
});
