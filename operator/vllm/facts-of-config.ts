/** `spec.model.facts` from the config.json of a model. */
import { InvalidSpecError } from '../values/spec-issue.ts';
import { weightsOf } from './config-quantization.ts';
import { layerKinds } from './layer-kinds.ts';
import { configIssue, type ModelConfig, parseModelConfig } from './model-config.ts';
import { type ModelFacts, modelFacts } from './model-facts.ts';
import { countParameters, isEncoder, type Sizes } from './parameter-count.ts';

/** Throws InvalidSpecError when the text is not the config.json of a model whose size can be computed. */
export function factsOfConfig(text: string): ModelFacts {
  const config = parseModelConfig(text);
  const sizes = sizesOf(config);
  const kinds = layerKinds(config, sizes.layers);
  const count = countParameters(config, sizes, kinds);
  const { format, sizeGiB } = weightsOf(config, count);
  const cached = isEncoder(config) ? 0 : kinds.attention;
  const { kv_lora_rank, qk_rope_head_dim, max_position_embeddings } = config;
  const facts = modelFacts.safeParse({
    parametersBillions: decimal(count.total / 1e9),
    weightFormat: format,
    ...(sizeGiB !== undefined && { weightsGiB: decimal(sizeGiB) }),
    layers: sizes.layers,
    ...(cached < sizes.layers && { cachedLayers: cached }),
    attentionHeads: sizes.heads,
    kvHeads: sizes.kvHeads,
    headDim: sizes.headDim,
    ...(max_position_embeddings !== undefined && { maxPositionEmbeddings: max_position_embeddings }),
    vocabularySize: sizes.vocabulary,
    ...(kinds.sliding && cached > 0 && { slidingWindow: kinds.sliding }),
    ...(count.experts > 0 && {
      experts: {
        count: config.num_experts,
        perToken: Math.min(config.num_experts_per_tok ?? 1, config.num_experts ?? 1),
        activeParametersBillions: decimal(count.active / 1e9),
      },
    }),
    ...(kv_lora_rank !== undefined &&
      qk_rope_head_dim !== undefined && { kvLoraRank: kv_lora_rank, qkRopeHeadDim: qk_rope_head_dim }),
  });
  if (facts.success) return facts.data;
  throw new InvalidSpecError(
    facts.error.issues.map(({ path, message }) =>
      configIssue(`its ${path.join('.')}`, undefined, `${message}, which no model has`),
    ),
  );
}

/** At most six decimals. Above what the schema takes, the largest number. */
function decimal(value: number): string {
  return String(Number(Math.min(value, 9_999_999).toFixed(6)));
}

const NEEDED = ['hidden_size', 'num_hidden_layers', 'num_attention_heads', 'vocab_size'] as const;

function sizesOf(config: ModelConfig): Sizes {
  const { hidden_size, num_hidden_layers, num_attention_heads, vocab_size } = config;
  if (!hidden_size || !num_hidden_layers || !num_attention_heads || !vocab_size) {
    const missing = NEEDED.filter((key) => config[key] === undefined);
    const reason = 'is missing';
    throw new InvalidSpecError(missing.map((key) => configIssue(key, undefined, reason)));
  }
  return {
    hidden: hidden_size,
    layers: num_hidden_layers,
    heads: num_attention_heads,
    kvHeads:
      config.num_key_value_heads ??
      (config.multi_query && !config.new_decoder_architecture ? 1 : num_attention_heads),
    headDim: headDim(config, hidden_size, num_attention_heads),
    vocabulary: vocab_size,
  };
}

function headDim(config: ModelConfig, hidden: number, heads: number): number {
  const { kv_lora_rank, qk_rope_head_dim, qk_nope_head_dim } = config;
  if (kv_lora_rank !== undefined && qk_rope_head_dim !== undefined && qk_nope_head_dim !== undefined)
    return qk_rope_head_dim + qk_nope_head_dim;
  if (config.head_dim !== undefined) return config.head_dim;
  if (hidden % heads === 0) return hidden / heads;
  throw new InvalidSpecError([
    configIssue(
      'hidden_size',
      hidden,
      `is not a multiple of num_attention_heads, which is ${heads}, and head_dim is missing`,
    ),
  ]);
}
