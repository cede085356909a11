import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { trainBytePairs } from './byte-pairs.ts';
import { tinyEmbedder, tinyReranker } from './tiny-bert.ts';
import { tinyAdapter, tinyLlama } from './tiny-llama.ts';

/** Folders that `writeTinyModels` makes. */
export const TINY_MODELS = ['tiny-chat', 'tiny-adapter', 'tiny-embed', 'tiny-rerank'] as const;
export type TinyModel = (typeof TINY_MODELS)[number];

/** The tokenizer learns from the licence: English prose of the repository that does not change. */
const TEXT = fileURLToPath(new URL('../../LICENSE', import.meta.url));
const MERGES = 300;

/**
 * Writes four models that a real vLLM loads in seconds on a CPU: one that chats, an adapter for it, one for embeddings
 * and a reranker. Less than 1 MB; the same bytes each time. Answers are random words. Returns the folder of each.
 */
export function writeTinyModels(directory: string): Record<TinyModel, string> {
  const pairs = trainBytePairs(readFileSync(TEXT, 'utf8'), MERGES);
  const models: Record<TinyModel, Record<string, unknown>> = {
    'tiny-chat': tinyLlama(pairs),
    'tiny-adapter': tinyAdapter(),
    'tiny-embed': tinyEmbedder(pairs),
    'tiny-rerank': tinyReranker(pairs),
  };
  const folders = {} as Record<TinyModel, string>;
  for (const name of TINY_MODELS) {
    folders[name] = join(directory, name);
    for (const [file, content] of Object.entries(models[name])) {
      const path = join(folders[name], file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, Buffer.isBuffer(content) ? content : `${JSON.stringify(content, null, 1)}\n`);
    }
  }
  return folders;
}
