/** Number of parameters of a model, from its config.json. */
import type { LayerKinds } from './layer-kinds.ts';
import type { ModelConfig } from './model-config.ts';

/** The sizes that every model has. */
export interface Sizes {
  hidden: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  vocabulary: number;
}

export interface ParameterCount {
  total: number;
  /** What one token uses; less than `total` in mixtures of experts. */
  active: number;
  /** Matrices of experts. */
  experts: number;
  /** Embeddings and the last matrix, which quantized checkpoints leave at 16 bits. */
  embeddings: number;
}

/** Families whose MLP has two matrices, and biases. The others have three: gate, up and down. */
const TWO_MATRICES =
  /^(gpt2|gpt_bigcode|gpt_neox|gpt_neo|gptj|opt|bloom|mpt|falcon|starcoder2|phi|bert|roberta|xlm-roberta|camembert|electra|mpnet|distilbert|nemotron)$/;
/** Families that learn a vector for each position. */
const LEARNED_POSITIONS =
  /^(gpt2|gpt_bigcode|gpt_neo|opt|bert|roberta|xlm-roberta|camembert|electra|mpnet|distilbert)$/;
/** Families whose last matrix is the embedding unless the file says otherwise. */
const TIED = /^(gemma|gpt2|gpt_bigcode|opt|bloom|mpt|falcon|cohere|command)/;

/** Whether it embeds or classifies texts and has neither a KV cache nor a last matrix. */
export function isEncoder({ architectures, model_type }: ModelConfig): boolean {
  return (
    architectures.some((each) => /(Bert|Roberta)/i.test(each)) ||
    /^(modern)?(bert|roberta|xlm-roberta|camembert|electra|mpnet|distilbert)$/.test(model_type)
  );
}

/** Counts matrices, norms and biases; other small tensors are left out. */
export function countParameters(config: ModelConfig, sizes: Sizes, kinds: LayerKinds): ParameterCount {
  const { hidden, layers, vocabulary } = sizes;
  const tied = config.tie_word_embeddings ?? TIED.test(config.model_type);
  const positions = LEARNED_POSITIONS.test(config.model_type) ? (config.max_position_embeddings ?? 0) : 0;
  const embeddings =
    hidden * (vocabulary * (isEncoder(config) || tied ? 1 : 2) + positions + (config.type_vocab_size ?? 0));
  const mixture = mixtureOf(config, sizes);
  const dense = (layers - mixture.layers) * mlp(config, hidden, innerSize(config, hidden));
  const rest =
    kinds.attention * attention(config, sizes) +
    kinds.linear * linearAttention(config, hidden) +
    layers * 2 * hidden +
    dense +
    mixture.layers * mixture.shared +
    (isEncoder(config) ? hidden * (hidden + 1) : 0) +
    config.towers.reduce((sum, tower) => sum + towerSize(tower), 0);
  const experts = mixture.layers * mixture.count * mixture.expert;
  const used = mixture.layers * Math.min(mixture.perToken, mixture.count) * mixture.expert;
  return { total: embeddings + rest + experts, active: embeddings + rest + used, experts, embeddings };
}

function innerSize(config: ModelConfig, hidden: number): number {
  const inner = config.intermediate_size ?? 4 * hidden;
  // The first Qwen writes down the sum of gate and up.
  return config.model_type === 'qwen' ? inner / 2 : inner;
}

function mlp(config: ModelConfig, hidden: number, inner: number): number {
  return TWO_MATRICES.test(config.model_type) ? 2 * hidden * inner + hidden + inner : 3 * hidden * inner;
}

function attention(config: ModelConfig, sizes: Sizes): number {
  const { hidden, heads, kvHeads, headDim } = sizes;
  const {
    kv_lora_rank: rank,
    qk_rope_head_dim: rope = 0,
    qk_nope_head_dim: nope = 0,
    q_lora_rank: queries,
  } = config;
  if (rank !== undefined) {
    const value = config.v_head_dim ?? nope;
    const query =
      queries === undefined ? hidden * heads * (nope + rope) : queries * (hidden + heads * (nope + rope));
    return query + hidden * (rank + rope) + rank * heads * (nope + value) + heads * value * hidden;
  }
  const gate = config.attn_output_gate || config.model_type === 'qwen3_next' ? heads : 0;
  const matrices = hidden * headDim * (2 * heads + 2 * kvHeads + gate);
  const biased =
    config.attention_bias ?? (/^qwen2/.test(config.model_type) || TWO_MATRICES.test(config.model_type));
  return matrices + (biased ? headDim * (heads + 2 * kvHeads) + hidden : 0);
}

/** Gated delta net: queries, keys, values and a gate, two numbers for each head, and the output. */
function linearAttention(config: ModelConfig, hidden: number): number {
  const keys = (config.linear_num_key_heads ?? 0) * (config.linear_key_head_dim ?? 0);
  const heads = config.linear_num_value_heads ?? 0;
  const values = heads * (config.linear_value_head_dim ?? 0);
  return hidden * (2 * keys + 3 * values + 2 * heads);
}

interface Mixture {
  /** Layers that have experts. */
  layers: number;
  count: number;
  perToken: number;
  /** Parameters of one expert. */
  expert: number;
  /** Parameters of a layer that every token uses: the router and shared experts. */
  shared: number;
}

function mixtureOf(config: ModelConfig, { hidden, layers }: Sizes): Mixture {
  const count = config.num_experts ?? 0;
  if (count < 2) return { layers: 0, count: 0, perToken: 0, expert: 0, shared: 0 };
  const inner = config.moe_intermediate_size ?? config.intermediate_size ?? 4 * hidden;
  const expert = mlp(config, hidden, inner);
  const ownSize = config.shared_expert_intermediate_size;
  const shared =
    ownSize === undefined ? (config.n_shared_experts ?? 0) * expert : mlp(config, hidden, ownSize);
  const dense = new Set(config.mlp_only_layers ?? []);
  const {
    first_k_dense_replace: first = 0,
    moe_layer_freq: every = 1,
    decoder_sparse_step: step = 1,
  } = config;
  const mixed = Array.from({ length: layers }, (_, at) => at).filter(
    (at) => at >= first && at % every === 0 && (at + 1) % step === 0 && !dense.has(at),
  );
  return {
    layers: mixed.length,
    count,
    perToken: config.num_experts_per_tok ?? 1,
    expert,
    shared: shared + hidden * count,
  };
}

function towerSize({
  hidden_size: hidden = 0,
  intermediate_size: inner = 4 * hidden,
  num_hidden_layers: layers = 0,
}: ModelConfig['towers'][number]): number {
  return layers * (4 * hidden * hidden + 2 * hidden * inner);
}
