/** What is read of a config.json, held to what is published of models, and to files that nobody should have written. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { writeTinyModels } from '../../../hack/vllm/tiny-models.ts';
import { InvalidSpecError } from '../../../operator/values/spec-issue.ts';
import { factsOfConfig } from '../../../operator/vllm/facts-of-config.ts';
import { findModel } from '../../../operator/vllm/models.ts';
import { PUBLISHED } from './support/published-models.ts';

const facts = (config: unknown) => factsOfConfig(JSON.stringify(config));

function issues(text: string): string[] {
  try {
    factsOfConfig(text);
  } catch (error) {
    if (error instanceof InvalidSpecError) return error.message.split('. ');
    throw error;
  }
  return [];
}

/** The part of a config.json that describes the language model. */
function textConfig(config: object): Record<string, unknown> {
  const { text_config: text = config } = config as { text_config?: object };
  return text as Record<string, unknown>;
}

describe('the catalog and the published config.json of its models', () => {
  it.each(PUBLISHED)('$id has the published number of parameters', ({ id, config, parameters, active }) => {
    const read = facts(config);
    const known = findModel(`hf://${id}`);
    expect(known, 'is in the catalog').toBeDefined();
    for (const count of [Number(read.parametersBillions), known?.parametersBillions ?? 0])
      expect(Math.abs(count / parameters - 1)).toBeLessThan(0.02);
    if (active === undefined) return;
    for (const count of [Number(read.experts?.activeParametersBillions), known?.experts?.activeBillions ?? 0])
      expect(Math.abs(count / active - 1)).toBeLessThan(0.05);
  });

  it.each(PUBLISHED)('$id has the shape of its config.json', ({ id, config }) => {
    const {
      parametersBillions: _,
      weightsGiB: size,
      experts,
      ...shape
    } = findModel(`hf://a/b`, facts(config)) ?? {};
    const {
      parametersBillions: __,
      weightsGiB,
      experts: known,
      hidden,
      tiedEmbeddings,
      ...catalog
    } = findModel(`hf://${id}`) ?? {};
    expect(shape).toEqual(catalog);
    // For the prediction of speed, which facts of users are not asked for.
    const { hidden_size: hiddenSize, tie_word_embeddings: tied } = textConfig(config);
    const { attentionHeads, headDim } = facts(config);
    expect(hidden ?? attentionHeads * (headDim ?? 0)).toBe(hiddenSize);
    if (tied !== undefined) expect(tiedEmbeddings ?? false).toBe(tied);
    expect([experts?.count, experts?.perToken]).toEqual([known?.count, known?.perToken]);
    // The catalog counts the layer for multi-token prediction of DeepSeek's checkpoints, which engines load only on demand.
    if (weightsGiB !== undefined) expect(Math.abs((size ?? 0) / weightsGiB - 1)).toBeLessThan(0.03);
  });
});

describe('the tiny models', () => {
  it.each(['tiny-chat', 'tiny-embed', 'tiny-rerank'] as const)('%s has the size of its file', (name) => {
    const directory = mkdtempSync(join(tmpdir(), 'tiny-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const folder = writeTinyModels(directory)[name];
    const file = readFileSync(join(folder, 'model.safetensors'));
    // A header with its length, then 4 bytes for each parameter.
    const parameters = (file.length - 8 - Number(file.readBigUInt64LE(0))) / 4;
    const read = factsOfConfig(readFileSync(join(folder, 'config.json'), 'utf8'));
    expect(Math.abs((Number(read.parametersBillions) * 1e9) / parameters - 1)).toBeLessThan(0.02);
    expect(read.cachedLayers).toBe(name === 'tiny-chat' ? undefined : 0);
  });
});

const small = {
  model_type: 'llama',
  hidden_size: 1024,
  intermediate_size: 4096,
  num_hidden_layers: 12,
  num_attention_heads: 16,
  vocab_size: 32000,
};

describe('layers that do not look at all tokens', () => {
  it.each<[string, object, object]>([
    ['a window in all layers', { model_type: 'mistral', sliding_window: 4096 }, { layers: 12, tokens: 4096 }],
    ['one in six without', { model_type: 'gemma3_text', sliding_window: 512 }, { layers: 10, tokens: 512 }],
    ['a pattern', { sliding_window: 512, sliding_window_pattern: 4 }, { layers: 9, tokens: 512 }],
    [
      'Qwen from a layer on',
      { model_type: 'qwen2', use_sliding_window: true, max_window_layers: 8, sliding_window: 4096 },
      { layers: 4, tokens: 4096 },
    ],
  ])('%s', (_, more, sliding) => {
    expect(facts({ ...small, ...more }).slidingWindow).toEqual(sliding);
  });

  it('have no window where it is switched off', () => {
    const off = { model_type: 'qwen2', use_sliding_window: false, sliding_window: 4096 };
    expect(facts({ ...small, ...off }).slidingWindow).toBeUndefined();
  });

  it('cache nothing with linear attention', () => {
    const linear = {
      linear_num_key_heads: 16,
      linear_key_head_dim: 64,
      linear_num_value_heads: 16,
      linear_value_head_dim: 64,
    };
    const read = facts({ ...small, ...linear, model_type: 'qwen3_next', full_attention_interval: 4 });
    expect(read.cachedLayers).toBe(3);
  });
});

describe('quantized checkpoints', () => {
  const dense = Number(facts(small).parametersBillions);
  const gib = (config: object) =>
    Number(facts({ ...small, quantization_config: config }).weightsGiB) * 1.0737;

  it.each<[string, object, number]>([
    ['fp8', { quant_method: 'fp8' }, 1],
    ['int4', { quant_method: 'awq', bits: 4 }, 0.52],
    ['fp8', { quant_method: 'gptq', bits: 8 }, 1],
    ['int4', { quant_method: 'bitsandbytes', load_in_4bit: true }, 0.52],
    [
      'int4',
      {
        quant_method: 'compressed-tensors',
        config_groups: { group_0: { weights: { num_bits: 4, type: 'int' } } },
      },
      0.52,
    ],
    [
      'nvfp4',
      {
        quant_method: 'compressed-tensors',
        config_groups: { group_0: { weights: { num_bits: 4, type: 'float' } } },
      },
      0.5625,
    ],
    ['nvfp4', { quant_method: 'modelopt', quant_algo: 'NVFP4' }, 0.5625],
  ])('are %s: %j', (format, config, bytes) => {
    expect(facts({ ...small, quantization_config: config }).weightFormat).toBe(format);
    const embeddings = (2 * 1024 * 32000) / 1e9;
    expect(gib(config)).toBeCloseTo((dense - embeddings) * bytes + embeddings * 2, 1);
  });

  it('are refused where the width is not known', () => {
    const text = JSON.stringify({ ...small, quantization_config: { quant_method: 'exl2', bits: 5 } });
    expect(issues(text)).toEqual([
      'quantization_config.quant_method "exl2": the width of its weights is not known; set spec.model.facts with weightsGiB',
    ]);
  });
});

describe('a file that is no config.json of a model', () => {
  it.each<[string, string, RegExp]>([
    ['nothing', '', /^the file: is not JSON; use the config\.json of the model$/],
    ['a list', '[]', /^the file: is JSON, but not an object/],
    ['nesting', '['.repeat(500_000), /^the file: is not JSON/],
    ['another file', '{}', /^hidden_size: is missing; set spec\.model\.facts/],
    [
      'text for a number',
      JSON.stringify({ ...small, hidden_size: '1024' }),
      /^hidden_size "1024": .*expected number/,
    ],
    ['a name of an older family', '{"n_layer": -1}', /^n_layer -1: /],
    ['a fraction', JSON.stringify({ ...small, num_hidden_layers: 1.5 }), /^num_hidden_layers 1\.5: .*int/],
    [
      'too many layers',
      JSON.stringify({ ...small, num_hidden_layers: 1e9 }),
      /^num_hidden_layers 1000000000: .*1024/,
    ],
    ['a long list', JSON.stringify({ ...small, layer_types: Array(5000).fill('x') }), /^layer_types: .*1024/],
    [
      'a field of a part',
      JSON.stringify({ text_config: { ...small, head_dim: 0 } }),
      /^text_config\.head_dim 0: /,
    ],
    [
      'heads that do not divide',
      JSON.stringify({ ...small, num_attention_heads: 15 }),
      /not a multiple of num_attention_heads/,
    ],
    [
      'state-space layers',
      JSON.stringify({ ...small, mamba_d_state: 16 }),
      /^mamba_d_state: belongs to state-space layers/,
    ],
    [
      'a head of a million',
      JSON.stringify({ ...small, hidden_size: 1048576, num_attention_heads: 1 }),
      /headDim: .*no model has/,
    ],
  ])('%s', (_, text, problem) => {
    expect(issues(text).join('. ')).toMatch(problem);
  });

  it('keeps what it shows of the file short', () => {
    const [issue = ''] = issues(JSON.stringify({ ...small, hidden_size: 'x'.repeat(1_000_000) }));
    expect(issue.length).toBeLessThan(300);
  });

  it('counts what is there, and no more: sizes that no model has give numbers that the schema takes', () => {
    const most = {
      ...small,
      hidden_size: 1048576,
      num_attention_heads: 4096,
      intermediate_size: 1048576,
      num_hidden_layers: 1024,
    };
    expect(() => facts({ ...most, num_experts: 65536 })).not.toThrow();
  });
});
