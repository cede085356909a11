import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashPrompt } from '../../../hack/vllm-sim/engine/chain-hash.ts';
import {
  GeneratedSource,
  type GeneratedSourceOptions,
} from '../../../hack/vllm-sim/engine/generated-source.ts';
import { detokenize, tokenize } from '../../../hack/vllm-sim/engine/tokenizer.ts';

function run(options: Partial<GeneratedSourceOptions>): {
  text: string;
  tokens: number;
  stopReason: string | null;
} {
  const source = new GeneratedSource({
    seed: 1,
    meanTokens: 40,
    minTokens: 0,
    stop: [],
    includeStop: false,
    ...options,
  });
  let text = '';
  for (let tokens = 1; tokens < 1000; tokens += 1) {
    const token = source.next();
    text += token.text;
    if (token.end !== undefined) {
      return { text, tokens, stopReason: token.end.stopReason };
    }
  }
  throw new Error('no end');
}

describe('tokenizer', () => {
  test('gives back any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(detokenize(tokenize(text))).toBe(text);
      }),
    );
  });

  test('takes about four characters per token', () => {
    expect(tokenize('The quick brown fox jumps over it').length).toBe(9);
  });
});

describe('prefix hashes', () => {
  const tokens = Array.from({ length: 40 }, (_, i) => i);

  test('name a block and all before it', () => {
    const one = hashPrompt(tokens, 16);
    const other = hashPrompt([...tokens.slice(0, 20), 99, ...tokens.slice(21)], 16);
    expect(one.blocks).toHaveLength(2);
    expect(other.blocks[0]).toBe(one.blocks[0]);
    expect(other.blocks[1]).not.toBe(one.blocks[1]);
  });

  test('keep salts apart', () => {
    expect(hashPrompt(tokens, 16, 'tenant-a').blocks[0]).not.toBe(
      hashPrompt(tokens, 16, 'tenant-b').blocks[0],
    );
  });
});

describe('generated text', () => {
  test('repeats for a seed and differs between seeds', () => {
    expect(run({ seed: 7 })).toEqual(run({ seed: 7 }));
    const texts = new Set(Array.from({ length: 50 }, (_, seed) => run({ seed: seed * 1e9 }).text));
    expect(texts.size).toBe(50);
  });

  test('gives a fixed text whole, and ends it', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.array(fc.string({ minLength: 1 }), { maxLength: 3 }),
        (text, stop) => {
          const found = stop.filter((s) => text.includes(s));
          const result = run({ text, stop });
          expect(text.startsWith(result.text)).toBe(true);
          expect(result.stopReason === null).toBe(found.length === 0);
          expect(result.text === text || found.length > 0).toBe(true);
          expect(stop.some((s) => result.text.includes(s))).toBe(false);
        },
      ),
    );
  });

  test('finds a stop string across tokens and keeps it when asked', () => {
    const text = 'one two three four';
    expect(run({ text, stop: ['o three'] })).toMatchObject({ text: 'one tw', stopReason: 'o three' });
    expect(run({ text, stop: ['o three'], includeStop: true }).text).toBe('one two three');
  });
});
