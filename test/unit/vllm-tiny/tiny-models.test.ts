/** The models for a real engine on a CPU: the same bytes each time, and in the forms that loaders expect. */
import { createHash } from 'node:crypto';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TINY_MODELS, type TinyModel, writeTinyModels } from '../../../hack/vllm/tiny-models.ts';

const directory = mkdtempSync(join(tmpdir(), 'tiny-models-'));
let folders: Record<TinyModel, string>;
beforeAll(() => {
  folders = writeTinyModels(directory);
});
afterAll(() => rmSync(directory, { recursive: true }));

interface TensorEntry {
  shape: number[];
  data_offsets: [number, number];
}

function header(file: string): { tensors: Record<string, TensorEntry>; bytes: number } {
  const content = readFileSync(file);
  const length = Number(content.readBigUInt64LE());
  const { __metadata__: _, ...tensors } = JSON.parse(content.toString('utf8', 8, 8 + length));
  return { tensors, bytes: content.length - 8 - length };
}

function json(model: TinyModel, file: string) {
  return JSON.parse(readFileSync(join(folders[model], file), 'utf8'));
}

test('are the same bytes each time; recordings of real engines depend on them', () => {
  const hash = createHash('sha256');
  const files = globSync('**/*.*', { cwd: directory }).sort();
  for (const file of files) hash.update(`${file}\n`).update(readFileSync(join(directory, file)));
  expect(files).toHaveLength(17);
  expect(hash.digest('hex')).toBe('fdbc7d70f2ecdbf68783d4ba725d0e8446f5e29eb5a5fa16be1df63dea87f864');
});

test.each(TINY_MODELS)('%s: tensors fill their file without gaps', (name) => {
  const file = name === 'tiny-adapter' ? 'adapter_model.safetensors' : 'model.safetensors';
  const { tensors, bytes } = header(join(folders[name], file));
  let at = 0;
  for (const {
    shape,
    data_offsets: [from, to],
  } of Object.values(tensors)) {
    expect(from).toBe(at);
    expect(to - from).toBe(4 * shape.reduce((product, size) => product * size));
    at = to;
  }
  expect(at).toBe(bytes);
});

test('each merge of the tokenizer makes a token of its vocabulary, and ids have no gap', () => {
  const { model, added_tokens } = json('tiny-chat', 'tokenizer.json');
  const ids = new Map<string, number>(Object.entries(model.vocab));
  for (const [left, right] of model.merges) expect(ids.has(left + right)).toBe(true);
  const all = [...ids.values(), ...added_tokens.map(({ id }: { id: number }) => id)].sort((a, b) => a - b);
  expect(all).toEqual(all.map((_, i) => i));
  expect(json('tiny-chat', 'config.json').vocab_size).toBeGreaterThanOrEqual(all.length);
});
