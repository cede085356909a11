/**
 * The catalog's models as published: the fields of their config.json that decide the size, and the number of parameters that
 * the model card, the paper or the hub names.
 */

interface Published {
  id: string;
  config: Record<string, unknown>;
  /** In 10^9. */
  parameters: number;
  /** Parameters that a token uses, for mixtures of experts, in 10^9. */
  active?: number;
}

function llama(
  layers: number,
  hidden: number,
  inner: number,
  heads: number,
  kvHeads: number,
  vocabulary: number,
  context: number,
) {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: hidden,
    intermediate_size: inner,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    vocab_size: vocabulary,
    max_position_embeddings: context,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
  };
}

function qwen(type: string, ...sizes: Parameters<typeof llama>) {
  const windows = { sliding_window: null, use_sliding_window: false, max_window_layers: sizes[0] };
  return { ...llama(...sizes), architectures: ['Qwen2ForCausalLM'], model_type: type, ...windows };
}

function gptOss(layers: number, experts: number) {
  return {
    ...llama(layers, 2880, 2880, 64, 8, 201088, 131072),
    architectures: ['GptOssForCausalLM'],
    model_type: 'gpt_oss',
    attention_bias: true,
    head_dim: 64,
    num_local_experts: experts,
    num_experts_per_tok: 4,
    sliding_window: 128,
    layer_types: Array.from({ length: layers }, (_, at) =>
      at % 2 === 0 ? 'sliding_attention' : 'full_attention',
    ),
    quantization_config: { quant_method: 'mxfp4', modules_to_not_convert: ['model.layers.*.self_attn'] },
  };
}

const deepseekV3 = {
  ...llama(61, 7168, 18432, 128, 128, 129280, 163840),
  architectures: ['DeepseekV3ForCausalLM'],
  model_type: 'deepseek_v3',
  first_k_dense_replace: 3,
  moe_intermediate_size: 2048,
  moe_layer_freq: 1,
  n_routed_experts: 256,
  n_shared_experts: 1,
  num_experts_per_tok: 8,
  num_nextn_predict_layers: 1,
  kv_lora_rank: 512,
  q_lora_rank: 1536,
  qk_nope_head_dim: 128,
  qk_rope_head_dim: 64,
  v_head_dim: 128,
  quantization_config: { quant_method: 'fp8', fmt: 'e4m3', weight_block_size: [128, 128] },
};

/** OpenAI leaves the input embedding out of the parameters that a token uses. */
const OPENAI_EMBEDDING = (201088 * 2880) / 1e9;

const llama3 = llama(80, 8192, 28672, 64, 8, 128256, 131072);

export const PUBLISHED: readonly Published[] = [
  {
    id: 'meta-llama/Llama-2-7b-chat-hf',
    parameters: 6.738,
    config: llama(32, 4096, 11008, 32, 32, 32000, 4096),
  },
  {
    id: 'meta-llama/Llama-2-13b-hf',
    parameters: 13.016,
    config: llama(40, 5120, 13824, 40, 40, 32000, 4096),
  },
  {
    id: 'meta-llama/Llama-2-70b-chat-hf',
    parameters: 68.977,
    config: llama(80, 8192, 28672, 64, 8, 32000, 4096),
  },
  {
    id: 'meta-llama/Meta-Llama-3-8B-Instruct',
    parameters: 8.03,
    config: llama(32, 4096, 14336, 32, 8, 128256, 8192),
  },
  {
    id: 'meta-llama/Meta-Llama-3-70B-Instruct',
    parameters: 70.55,
    config: { ...llama3, max_position_embeddings: 8192 },
  },
  {
    id: 'meta-llama/Llama-3.1-8B-Instruct',
    parameters: 8.03,
    config: llama(32, 4096, 14336, 32, 8, 128256, 131072),
  },
  { id: 'meta-llama/Llama-3.1-70B-Instruct', parameters: 70.55, config: llama3 },
  { id: 'meta-llama/Llama-3.3-70B-Instruct', parameters: 70.55, config: llama3 },
  { id: 'deepseek-ai/DeepSeek-R1-Distill-Llama-70B', parameters: 70.55, config: llama3 },
  {
    id: 'mistralai/Mistral-7B-Instruct-v0.3',
    parameters: 7.25,
    config: { ...llama(32, 4096, 14336, 32, 8, 32768, 32768), model_type: 'mistral', sliding_window: null },
  },
  {
    id: 'codellama/CodeLlama-7b-Instruct-hf',
    parameters: 6.74,
    config: llama(32, 4096, 11008, 32, 32, 32016, 16384),
  },
  {
    id: 'codellama/CodeLlama-13b-Instruct-hf',
    parameters: 13.016,
    config: llama(40, 5120, 13824, 40, 40, 32016, 16384),
  },
  {
    id: 'Qwen/Qwen-72B-Chat',
    parameters: 72.3,
    config: {
      model_type: 'qwen',
      hidden_size: 8192,
      intermediate_size: 49152,
      num_hidden_layers: 80,
      num_attention_heads: 64,
      kv_channels: 128,
      vocab_size: 152064,
      max_position_embeddings: 32768,
      tie_word_embeddings: false,
      torch_dtype: 'bfloat16',
    },
  },
  {
    id: 'Qwen/Qwen2.5-72B-Instruct',
    parameters: 72.71,
    config: qwen('qwen2', 80, 8192, 29568, 64, 8, 152064, 32768),
  },
  {
    id: 'Qwen/Qwen2.5-7B-Instruct',
    parameters: 7.62,
    config: qwen('qwen2', 28, 3584, 18944, 28, 4, 152064, 32768),
  },
  {
    id: 'Qwen/Qwen2.5-Coder-7B-Instruct',
    parameters: 7.62,
    config: qwen('qwen2', 28, 3584, 18944, 28, 4, 152064, 32768),
  },
  {
    id: 'Qwen/Qwen2.5-0.5B-Instruct',
    parameters: 0.494,
    config: { ...qwen('qwen2', 24, 896, 4864, 14, 2, 151936, 32768), tie_word_embeddings: true },
  },
  {
    id: 'Qwen/Qwen3-8B',
    parameters: 8.19,
    config: { ...qwen('qwen3', 36, 4096, 12288, 32, 8, 151936, 40960), head_dim: 128 },
  },
  {
    id: 'Qwen/Qwen3-32B',
    parameters: 32.76,
    config: { ...qwen('qwen3', 64, 5120, 25600, 64, 8, 151936, 40960), head_dim: 128 },
  },
  {
    id: 'Qwen/Qwen3-30B-A3B',
    parameters: 30.53,
    active: 3.3,
    config: {
      ...qwen('qwen3_moe', 48, 2048, 6144, 32, 4, 151936, 40960),
      head_dim: 128,
      num_experts: 128,
      num_experts_per_tok: 8,
      moe_intermediate_size: 768,
      decoder_sparse_step: 1,
      mlp_only_layers: [],
    },
  },
  { id: 'deepseek-ai/DeepSeek-V3-0324', parameters: 671, active: 37, config: deepseekV3 },
  { id: 'deepseek-ai/DeepSeek-R1-0528', parameters: 671, active: 37, config: deepseekV3 },
  { id: 'openai/gpt-oss-20b', parameters: 20.9, active: 3.61 + OPENAI_EMBEDDING, config: gptOss(24, 32) },
  { id: 'openai/gpt-oss-120b', parameters: 116.8, active: 5.13 + OPENAI_EMBEDDING, config: gptOss(36, 128) },
  {
    id: 'mistralai/Mixtral-8x7B-Instruct-v0.1',
    parameters: 46.7,
    active: 12.9,
    config: {
      ...llama(32, 4096, 14336, 32, 8, 32000, 32768),
      model_type: 'mixtral',
      num_local_experts: 8,
      num_experts_per_tok: 2,
      sliding_window: null,
    },
  },
  {
    id: 'google/gemma-3-27b-it',
    parameters: 27.4,
    config: {
      architectures: ['Gemma3ForConditionalGeneration'],
      model_type: 'gemma3',
      text_config: {
        model_type: 'gemma3_text',
        hidden_size: 5376,
        intermediate_size: 21504,
        num_hidden_layers: 62,
        num_attention_heads: 32,
        num_key_value_heads: 16,
        head_dim: 128,
        sliding_window: 1024,
        vocab_size: 262208,
        max_position_embeddings: 131072,
      },
      vision_config: {
        hidden_size: 1152,
        intermediate_size: 4304,
        num_hidden_layers: 27,
        model_type: 'siglip_vision_model',
      },
      torch_dtype: 'bfloat16',
    },
  },
];
