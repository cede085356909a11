/** Messages that docs/troubleshooting.md quotes are those that users get. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { validateFiles } from '../../../operator/cli/validate.ts';
import { inRepository } from '../../support/documented-commands.ts';

const page = readFileSync(inRepository('docs/troubleshooting.md'), 'utf8');
const blocks = [...page.matchAll(/^```(\w*)\n(.*?)\n```$/gms)];
const quoted = blocks.flatMap(([, language, text = '']) => (language === '' ? text.split('\n') : []));

const SMALL = 'hf://Qwen/Qwen2.5-0.5B-Instruct';
/** Models of a pool of L4s, by what is wrong. */
const MISTAKES = {
  parallel: { model: { source: SMALL }, engine: { tensorParallelSize: 4 } },
  flag: { model: { source: SMALL }, engine: { extraArgs: ['--no-such-flag'] } },
  value: { model: { source: SMALL }, engine: { reasoningParser: 'qwen33' } },
  memory: { model: { source: 'hf://meta-llama/Llama-3.3-70B-Instruct' } },
};

function manifest(kind: string, name: string, spec: object): object {
  return { apiVersion: 'vllm-operator.dev/v1alpha1', kind, metadata: { name, namespace: 'default' }, spec };
}

/** Whether a message is the one that is quoted, in which … stands for something that is left out. */
function isQuote(quote: string, message: string): boolean {
  const [start = '', end = ''] = quote.split('…');
  return quote.includes('…') ? message.startsWith(start) && message.endsWith(end) : message === quote;
}

it('those of the operator', () => {
  const directory = mkdtempSync(join(tmpdir(), 'messages-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'mistakes.yaml');
  const pool = manifest('InferencePool', 'l4', { accelerator: { type: 'L4' } });
  const models = Object.entries(MISTAKES).map(([name, spec]) =>
    manifest('InferenceModel', name, { poolRef: { name: 'l4' }, ...spec }),
  );
  writeFileSync(file, [pool, ...models].map((object) => stringify(object)).join('---\n'));
  const messages: string[] = [];
  validateFiles([file], {
    write: () => undefined,
    fail: (line) => messages.push(line.trim().replace(/^InferenceModel \S+: /, '')),
  });

  const quotes = quoted.filter((line) => line.startsWith('spec.'));
  expect(quotes).toHaveLength(messages.length);
  expect(
    quotes.filter((quote) => !messages.some((message) => isQuote(quote, message))),
    messages.join('\n'),
  ).toEqual([]);
});

it('those of the API server, by rules of the definitions', () => {
  const definition = readFileSync(inRepository('crds/vllm-operator.dev_inferencemodels.yaml'), 'utf8');
  const rules = quoted.flatMap(
    (line) => /^The InferenceModel "x" is invalid: \S+: Forbidden: (.*)$/.exec(line)?.[1] ?? [],
  );
  expect(rules.length).toBeGreaterThan(0);
  expect(rules.filter((message) => !definition.includes(`'${message}'`))).toEqual([]);
});
