/** Sizes against published numbers: model catalogs, recipes, and the KV cache examples of vLLM's formulas. */
import { describe, expect, it } from 'vitest';
import { kvCacheShape } from '../../../operator/model/kv-cache-shape.ts';
import { type MemoryPlan, planMemory } from '../../../operator/model/memory-plan.ts';
import type { MergedEngine } from '../../../operator/model/merged-engine.ts';
import { weightsGiB } from '../../../operator/model/weights.ts';
import { GIB } from '../../../operator/values/units.ts';
import { EXAMPLE_ENGINE, model, pool } from '../render/support/objects.ts';
import { merged } from './support/resolve.ts';

type Engine = NonNullable<Parameters<typeof model>[1]>['engine'];

function resolve(type: string, source: string, engine: Engine = {}, facts?: object): MergedEngine {
  const more = facts === undefined ? {} : { facts: facts as never };
  return merged(pool(type), model(`hf://${source}`, { engine, model: more }));
}

function plan(type: string, source: string, engine: Engine = {}, facts?: object): MemoryPlan {
  const found = planMemory(resolve(type, source, engine, facts));
  if (found === undefined) throw new Error(`no plan for ${source}`);
  return found;
}

function shape(engine: MergedEngine) {
  if (engine.model === undefined) throw new Error('unknown model');
  return {
    model: engine.model,
    kv: kvCacheShape(engine, engine.model, { batchedTokens: 2048, useWindows: true }),
  };
}

describe('weights', () => {
  it.each([
    ['meta-llama/Llama-3.1-8B-Instruct', 14.96],
    ['meta-llama/Llama-3.3-70B-Instruct', 131.42],
    ['mistralai/Mistral-7B-Instruct-v0.3', 13.5],
    ['codellama/CodeLlama-13b-hf', 24.2],
    ['Qwen/Qwen2.5-72B-Instruct', 135.4],
    ['Qwen/Qwen2.5-7B-Instruct', 14.19],
    ['Qwen/Qwen3-8B', 15.26],
    ['Qwen/Qwen3-32B', 61.0],
    ['Qwen/Qwen3-30B-A3B', 56.87],
    ['deepseek-ai/DeepSeek-V3', 641.3],
    ['mistralai/Mixtral-8x7B-Instruct-v0.1', 87.0],
    ['google/gemma-3-27b-it', 51.1],
    ['openai/gpt-oss-120b', 60.8],
    ['RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic', 65.7],
    ['acme/Llama-3.3-70B-Instruct-AWQ-INT4', 36.8],
  ])('of %s are %d GiB', (source, size) => {
    const engine = resolve('H100', source);
    expect(weightsGiB(engine, shape(engine).model)).toBeCloseTo(size, 0);
  });

  it('halve with fp8 and double with float32', () => {
    const source = 'meta-llama/Llama-3.1-8B-Instruct';
    const bf16 = plan('H100', source).weightsGiB;
    expect(plan('H100', source, { quantization: 'fp8' }).weightsGiB).toBeCloseTo(bf16 / 2, 3);
    expect(plan('H100', source, { dtype: 'float32' }).weightsGiB).toBeCloseTo(bf16 * 2, 3);
  });

  it('split over tensor and pipeline ranks, and over data-parallel ones only as experts', () => {
    const dense = 'meta-llama/Llama-3.1-8B-Instruct';
    const one = plan('H100', dense).weightsGiB;
    expect(plan('H100x4', dense).weightsGiB).toBeCloseTo(one / 4, 6);
    expect(plan('H100x4', dense, { pipelineParallelSize: 2 }).weightsGiB).toBeCloseTo(one / 4, 6);
    expect(plan('H100x4', dense, { dataParallelSize: 4 }).weightsGiB).toBeCloseTo(one, 6);
    const deepseek = plan('H200x8', 'deepseek-ai/DeepSeek-R1', { dataParallelSize: 8, expertParallel: true });
    // 654 of 671 billion parameters are experts; the rest is on every rank.
    expect(deepseek.weightsGiB).toBeGreaterThan(641 / 8 + 10);
    expect(deepseek.weightsGiB).toBeLessThan(641 / 8 + 20);
  });
});

describe('KV cache', () => {
  it.each([
    ['meta-llama/Llama-3.1-8B', 131072],
    ['meta-llama/Llama-3.3-70B-Instruct', 327680],
    ['codellama/CodeLlama-13b-hf', 819200],
    ['Qwen/Qwen2.5-7B-Instruct', 57344],
    ['Qwen/Qwen2.5-0.5B', 12288],
    ['Qwen/Qwen3-30B-A3B', 98304],
    ['deepseek-ai/DeepSeek-V3', 70272],
  ])('of %s is %d bytes a token', (source, bytes) => {
    expect(shape(resolve('H100', source)).kv.sequenceBytes(16) / 16).toBe(bytes);
  });

  it.each([
    ['meta-llama/Llama-3.1-8B-Instruct', 1.0],
    ['meta-llama/Llama-3.3-70B-Instruct', 2.5],
    ['codellama/CodeLlama-13b-hf', 6.25],
    ['Qwen/Qwen2.5-7B-Instruct', 0.44],
    ['deepseek-ai/DeepSeek-V3', 0.54],
  ])('of 8k tokens of %s is %d GiB', (source, size) => {
    expect(shape(resolve('H100', source)).kv.sequenceBytes(8192) / GIB).toBeCloseTo(size, 2);
  });

  it('is split over tensor ranks down to one head, and not at all with latent attention', () => {
    const perToken = (type: string, source: string) => shape(resolve(type, source)).kv.sequenceBytes(16) / 16;
    expect(perToken('H100x4', 'meta-llama/Llama-3.1-8B')).toBe(131072 / 4);
    expect(perToken('H100x8', 'Qwen/Qwen3-30B-A3B')).toBe(98304 / 4);
    expect(perToken('H200x8', 'deepseek-ai/DeepSeek-V3')).toBe(70272);
  });

  it('halves with fp8', () => {
    const engine = resolve('H100', 'deepseek-ai/DeepSeek-V3', { pagedAttention: { kvCacheDtype: 'fp8' } });
    expect(shape(engine).kv.sequenceBytes(16) / 16).toBe(35136);
  });

  it('of sliding windows stops growing', () => {
    const { kv } = shape(resolve('H100', 'openai/gpt-oss-120b'));
    expect(kv.sequenceBytes(16) / 16).toBe(73728);
    expect((kv.sequenceBytes(131072) - kv.sequenceBytes(65536)) / 65536).toBe(36864);
  });

  it('names the longest sequence that fits', () => {
    for (const source of ['openai/gpt-oss-120b', 'meta-llama/Llama-3.1-8B']) {
      const { kv } = shape(resolve('H100', source));
      for (const gib of [0.1, 1, 7.3, 40]) {
        const longest = kv.longestSequence(gib * GIB);
        expect(kv.sequenceBytes(longest)).toBeLessThanOrEqual(gib * GIB);
        expect(kv.sequenceBytes(longest + 48)).toBeGreaterThan(gib * GIB);
      }
    }
    expect(shape(resolve('H100', 'meta-llama/Llama-3.1-8B')).kv.longestSequence(1000)).toBe(0);
  });
});

describe('fit', () => {
  it.each<[string, string, boolean, Engine?]>([
    ['A100', 'meta-llama/Llama-3.1-8B-Instruct', true],
    ['A100', 'mistralai/Mistral-7B-Instruct-v0.3', true],
    ['A100', 'codellama/CodeLlama-13b-Instruct-hf', true, { maxModelLen: 16384 }],
    ['A100', 'meta-llama/Llama-3.3-70B-Instruct', false],
    ['A100x2', 'meta-llama/Llama-3.3-70B-Instruct', false],
    ['A100x4', 'meta-llama/Llama-3.3-70B-Instruct', true],
    ['H100x4', 'meta-llama/Llama-3.3-70B-Instruct', true],
    ['H100x4', 'Qwen/Qwen2.5-72B-Instruct', true],
    ['H100', 'RedHatAI/Llama-3.3-70B-Instruct-FP8', false],
    ['H100x2', 'RedHatAI/Llama-3.3-70B-Instruct-FP8', true],
    ['H200x8', 'deepseek-ai/DeepSeek-V3', true],
    ['B200x8', 'deepseek-ai/DeepSeek-R1-0528', true],
    ['MI300Xx8', 'deepseek-ai/DeepSeek-R1', true],
    ['H100x8', 'deepseek-ai/DeepSeek-V3', false],
    ['A100x8', 'deepseek-ai/DeepSeek-R1', false],
    ['H100', 'openai/gpt-oss-120b', true],
    ['A100', 'openai/gpt-oss-20b', true],
    ['L4', 'Qwen/Qwen2.5-7B-Instruct', true],
    ['L4', 'codellama/CodeLlama-13b-hf', false, { maxModelLen: 16384 }],
    ['T4', 'Qwen/Qwen2.5-7B-Instruct', false],
  ])('%s holds %s: %s', (type, source, fits, own = {}) => {
    const found = plan(type, source, { ...EXAMPLE_ENGINE, ...own });
    expect(found.issue === undefined, found.issue?.reason ?? found.summary).toBe(fits);
    if (!found.issue) expect(found.sequencesAtFullLength).toBeGreaterThanOrEqual(1);
  });

  it('says where weights that are too large would fit', () => {
    const { issue } = plan('H100x8', 'deepseek-ai/DeepSeek-V3', EXAMPLE_ENGINE);
    expect(issue).toMatchObject({ field: 'spec.model.source', value: 'deepseek-ai/DeepSeek-V3' });
    expect(issue?.remedy).toContain('H200x8');
    expect(issue?.remedy).not.toContain('H100');
  });

  it('says which context length would fit', () => {
    const source = 'codellama/CodeLlama-13b-hf';
    const { issue } = plan('L40S', source, {
      maxModelLen: 16384,
      pagedAttention: { gpuMemoryUtilization: '0.70' },
    });
    expect(issue?.field).toBe('spec.engine.maxModelLen');
    const length = Number(/maxModelLen to ([0-9]+)/.exec(issue?.remedy ?? '')?.[1]);
    const shorter = { maxModelLen: length, pagedAttention: { gpuMemoryUtilization: '0.70' } };
    expect(plan('L40S', source, shorter).issue).toBeUndefined();
    expect(plan('L40S', source, shorter).sequencesAtFullLength).toBeGreaterThanOrEqual(1);
  });

  it('warns without refusing where the estimate may be too cautious', () => {
    const tight = plan('A10', 'meta-llama/Llama-3.1-8B-Instruct', { ...EXAMPLE_ENGINE, maxModelLen: 16384 });
    expect(tight.issue).toBeUndefined();
    expect(tight.summary).toMatch(/^tight: /);
  });

  it('takes the longest context that fits for auto', () => {
    const auto = plan('A10', 'meta-llama/Llama-3.1-8B-Instruct', { maxModelLen: 'auto' });
    expect(auto.maxModelLen).toBeGreaterThan(8192);
    expect(auto.maxModelLen).toBeLessThan(32768);
    expect(auto.sequencesAtFullLength).toBeGreaterThanOrEqual(1);
    expect(plan('H200', 'meta-llama/Llama-3.1-8B-Instruct', { maxModelLen: 'auto' }).maxModelLen).toBe(
      131072,
    );
  });

  it('leaves less cache to adapters and wide batches', () => {
    const source = 'meta-llama/Llama-3.1-8B-Instruct';
    const plain = plan('A100', source).kvCacheGiB;
    expect(plan('A100', source, { lora: { maxLoras: 8, maxRank: 64 } }).kvCacheGiB).toBeLessThan(plain - 2);
    expect(plan('A100', source, { batching: { maxNumBatchedTokens: 16384 } }).kvCacheGiB).toBeCloseTo(
      plain - 1,
      6,
    );
  });
});

describe('a draft model', () => {
  const target = 'meta-llama/Llama-3.1-70B-Instruct';
  const speculative = (method: string, more: object = {}): Engine => ({
    ...EXAMPLE_ENGINE,
    speculative: { method, numSpeculativeTokens: 3, ...more },
  });
  const draft = { model: 'meta-llama/Llama-3.1-8B-Instruct' };
  const perToken = (found: MemoryPlan) => (found.kvCacheGiB * GIB) / found.kvCacheTokens;

  it('takes its weights, split over tensor ranks, and its layers of the KV cache', () => {
    const alone = plan('H100x4', target, EXAMPLE_ENGINE);
    const drafted = plan('H100x4', target, speculative('draft_model', draft));
    expect(drafted.weightsGiB - alone.weightsGiB).toBeCloseTo((14.96 * 1.02) / 4, 1);
    expect(perToken(drafted) - perToken(alone)).toBeCloseTo(131072 / 4, 0);
    expect(drafted.kvCacheGiB).toBeLessThan(alone.kvCacheGiB);
  });

  it('is whole in the last pipeline stage', () => {
    const stages: Engine = { pipelineParallelSize: 2, tensorParallelSize: 2 };
    const alone = plan('H100x4', target, { ...EXAMPLE_ENGINE, ...stages });
    const drafted = plan('H100x4', target, { ...speculative('draft_model', draft), ...stages });
    expect(drafted.weightsGiB - alone.weightsGiB).toBeCloseTo((14.96 * 1.02) / 2, 1);
    expect(perToken(drafted) - perToken(alone)).toBeCloseTo(131072 / 2, 0);
  });

  it.each(['ngram', 'suffix'])('is none with %s', (method) => {
    expect(plan('H100x4', target, speculative(method))).toEqual(plan('H100x4', target, EXAMPLE_ENGINE));
  });

  it.each([
    ['eagle3', { model: 'acme/eagle3-head' }],
    ['mtp', {}],
  ])('is estimated as one layer of the model with %s', (method, more) => {
    const alone = plan('H100x4', target, EXAMPLE_ENGINE);
    const drafted = plan('H100x4', target, speculative(method, more));
    expect(drafted.weightsGiB / alone.weightsGiB).toBeCloseTo(81 / 80, 4);
    expect(perToken(drafted) / perToken(alone)).toBeCloseTo(81 / 80, 4);
  });

  it('has no KV cache with medusa', () => {
    const alone = plan('H100x4', target, EXAMPLE_ENGINE);
    const drafted = plan('H100x4', target, speculative('medusa', draft));
    expect(drafted.weightsGiB).toBeGreaterThan(alone.weightsGiB + 3);
    expect(perToken(drafted)).toBeCloseTo(perToken(alone), 0);
  });

  it('can keep a model from fitting', () => {
    const source = 'meta-llama/Llama-3.1-8B-Instruct';
    expect(plan('L4', source, { maxModelLen: 8192 }).issue).toBeUndefined();
    const { issue } = plan('L4', source, {
      maxModelLen: 8192,
      ...speculative('draft_model', { model: source }),
    });
    expect(issue?.reason).toContain('the weights take');
  });

  it('is named in the summary where the plan leaves it out, and counted by its facts', () => {
    const unknown = { model: 'acme/draft' };
    const summary = (more: object) => plan('H100x4', target, speculative('draft_model', more)).summary;
    expect(summary(unknown)).toContain('without the draft model acme/draft, which is not in the catalog');
    const facts = { parametersBillions: '1', layers: 4, attentionHeads: 8, kvHeads: 8, headDim: 64 };
    expect(summary({ ...unknown, facts })).not.toContain('without');
    expect(plan('H100x4', target, speculative('dspark')).summary).toContain('without what dspark takes');
  });
});

describe('a model without a KV cache', () => {
  const encoder = {
    parametersBillions: '0.56',
    layers: 24,
    cachedLayers: 0,
    attentionHeads: 16,
    kvHeads: 16,
    headDim: 64,
  };

  it('fits where its weights do', () => {
    const found = plan('L4', 'acme/embedder', {}, { ...encoder, maxPositionEmbeddings: 8192 });
    expect(found).toMatchObject({
      kvCacheGiB: 0,
      kvCacheTokens: 0,
      sequencesAtFullLength: 0,
      maxModelLen: 8192,
    });
    expect(found.summary).toContain('no KV cache');
    expect(found.issue).toBeUndefined();
    expect(plan('L4', 'acme/embedder', {}, { ...encoder, parametersBillions: '20' }).issue).toBeDefined();
  });

  it('caches less where only some layers do', () => {
    const of = (more: object) =>
      plan('A100', 'acme/hybrid', {}, { ...encoder, cachedLayers: 24, ...more }).kvCacheTokens;
    expect(of({ cachedLayers: 6 }) / of({})).toBeCloseTo(4, 3);
  });
});

describe('the facts about a model', () => {
  const facts = {
    parametersBillions: '8.0',
    layers: 32,
    attentionHeads: 32,
    kvHeads: 8,
    headDim: 128,
    maxPositionEmbeddings: 65536,
  };

  it('is nothing for a stranger, and then there is no plan', () => {
    expect(planMemory(resolve('A100', 'acme/secret-sauce'))).toBeUndefined();
    expect(planMemory(resolve('A100', 'acme/secret-sauce', {}, facts))?.maxModelLen).toBe(65536);
  });

  it('is what the user says, even of a model in the catalog', () => {
    const engine = resolve('A100', 'meta-llama/Llama-3.1-8B', {}, { ...facts, layers: 16, weightsGiB: '20' });
    expect(engine.model).toMatchObject({ layers: 16, weightsGiB: 20 });
  });

  it('distinguishes base from tuned checkpoints if their contexts differ', () => {
    expect(plan('H100x4', 'Qwen/Qwen2.5-7B').maxModelLen).toBe(131072);
    expect(plan('H100x4', 'Qwen/Qwen2.5-7B-Instruct').maxModelLen).toBe(32768);
  });

  it('is not used where extraArgs change what counts', () => {
    const offload = { extraArgs: ['--cpu-offload-gb=20'] };
    expect(planMemory(resolve('T4', 'Qwen/Qwen2.5-7B-Instruct', offload))).toBeUndefined();
  });

  it.each(['pvc://claim/models/Llama-3.1-8B-Instruct', 's3://bucket/Meta-Llama-3.1-8B'])(
    'is found by the path %s',
    (source) => {
      expect(merged(pool('A100'), model(source)).model?.layers).toBe(32);
    },
  );
});
