/** Files that somebody else wrote: a pull request is checked with `validate` before anybody has read it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

import { planFiles } from '../../../operator/cli/plan.ts';
import type { CommandOutput } from '../../../operator/cli/problems.ts';
import { renderFiles } from '../../../operator/cli/render.ts';
import { validateFiles } from '../../../operator/cli/validate.ts';

const directory = mkdtempSync(join(tmpdir(), 'files-'));
afterAll(() => rmSync(directory, { recursive: true }));

const MODEL = 'apiVersion: vllm-operator.dev/v1alpha1\nkind: InferenceModel\n';
const bomb = Array.from({ length: 9 }, (_, i) => {
  const item = i === 0 ? 'x' : `*a${i - 1}`;
  return `a${i}: &a${i} [${Array.from({ length: 9 }, () => item).join(', ')}]`;
}).join('\n');

type Command = (files: readonly string[], output: CommandOutput) => number;

function run(command: Command, text: string): { code: number; lines: string } {
  const file = join(directory, 'file.yaml');
  writeFileSync(file, text);
  let lines = '';
  const write = (line: string) => {
    lines += line;
  };
  return { code: command([file], { write, fail: write }), lines: lines.replaceAll(file, 'file') };
}

describe.each<[string, Command]>([
  ['validate', validateFiles],
  ['render', renderFiles],
  ['plan', planFiles],
])('%s', (_, command) => {
  it.each([
    ['aliases that grow without end', `${MODEL}spec:\n  ${bomb.replaceAll('\n', '\n  ')}`, 'alias'],
    ['an alias of nothing', `${MODEL}spec: *nothing`, 'alias'],
    ['an object that contains itself', `${MODEL}metadata: {name: x}\nspec: &spec {poolRef: *spec}`, 'itself'],
    ['a kind of JavaScript', 'apiVersion: vllm-operator.dev/v1alpha1\nkind: constructor', 'unknown kind'],
    [
      'a name that is no text',
      `${MODEL}metadata: {name: {toString: 1}}\nspec: {}`,
      'metadata.name {"toString":1}',
    ],
    [
      'a namespace that is no text',
      `${MODEL}metadata: {name: x, namespace: {toString: 1}}`,
      'metadata.namespace',
    ],
    ['a kind that is no text', 'apiVersion: vllm-operator.dev/v2\nkind: {toString: 1}', 'unknown kind'],
    ['brackets without end', `${MODEL}spec: ${'['.repeat(5_000)}`, 'not YAML'],
  ])('says what is wrong with %s', (_name, text, said) => {
    const { code, lines } = run(command, text);
    expect(code).toBe(1);
    expect(lines).toMatch(/^file: /);
    expect(lines).toContain(said);
  });

  it('passes over other kinds, whatever is in them', () => {
    const other = (kind: string) =>
      `apiVersion: v1\nkind: ${kind}\nmetadata: {name: {toString: 1}, namespace: {toString: 1}, labels: 1}\nspec: {accessModes: [{toString: 1}]}`;
    const { code, lines } = run(
      command,
      [other('Namespace'), other('PersistentVolumeClaim')].join('\n---\n'),
    );
    expect(code).toBe(1);
    expect(lines).toMatch(/^file: no Inference/);
  });

  it('writes nothing that a terminal acts on, and no lines of others', () => {
    const texts = [
      `${MODEL}metadata: {name: "a\\e[2J\\nfile: ok\\u009b1m\\u202e"}\nspec: {}`,
      `${MODEL}metadata: {name: x}\nspec: {poolRef: {name: "\\u009b1m\\u202e"}, "a\\eb\\nc": 1}`,
      'apiVersion: vllm-operator.dev/v1alpha1\nkind: "\\e[2J"',
      `${MODEL}spec: "\u001b[2J" x`,
    ];
    for (const text of texts) {
      const { lines } = run(command, text);
      expect(lines.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      expect(lines).not.toMatch(/^(file: ok|c )/m);
    }
  });
});
