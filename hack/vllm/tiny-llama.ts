import type { BytePairs } from './byte-pairs.ts';
import { filled, RandomWeights } from './random-weights.ts';
import { safetensors, type Tensor } from './safetensors.ts';
import { chatTokenizer, plainIds, specialId, vocabularySize } from './tiny-tokenizer.ts';

const HIDDEN = 64;
const INNER = 128;
const LAYERS = 2;
const HEADS = 2;
const KV_HEADS = 1;
/** The smallest head that vLLM's attention on CPUs takes. */
const HEAD = 32;
const RANK = 8;

/**
 * The hidden state's first number is the same for every token and layer, so that the last matrix can use it as a bias:
 * by it the model writes whole words of printable ASCII, and ends an answer after some hundred tokens at temperature 1.
 */
const BIAS = 4;
/** What the bias becomes in the last norm, roughly. */
const BIAS_AFTER_NORM = 3.5;
const NEVER = -40;
const END = 4.5;

/** Files of a Llama with random weights that answers in random words, by name. */
export function tinyLlama(pairs: BytePairs): Record<string, unknown> {
  return {
    'config.json': {
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      vocab_size: vocabularySize(pairs),
      hidden_size: HIDDEN,
      intermediate_size: INNER,
      num_hidden_layers: LAYERS,
      num_attention_heads: HEADS,
      num_key_value_heads: KV_HEADS,
      head_dim: HEAD,
      hidden_act: 'silu',
      max_position_embeddings: 2048,
      rms_norm_eps: 1e-5,
      rope_theta: 10000,
      attention_bias: false,
      mlp_bias: false,
      tie_word_embeddings: false,
      bos_token_id: specialId(pairs, '<|endoftext|>'),
      eos_token_id: specialId(pairs, '<|im_end|>'),
      torch_dtype: 'float32',
    },
    'generation_config.json': { eos_token_id: specialId(pairs, '<|im_end|>') },
    'model.safetensors': safetensors(llamaWeights(pairs)),
    ...chatTokenizer(pairs),
  };
}

/** Files of a LoRA adapter for it, by name. */
export function tinyAdapter(): Record<string, unknown> {
  const random = new RandomWeights(2);
  const tensors: Record<string, Tensor> = {};
  for (let layer = 0; layer < LAYERS; layer += 1) {
    for (const [name, out] of [
      ['q_proj', HEADS * HEAD],
      ['v_proj', KV_HEADS * HEAD],
    ] as const) {
      const prefix = `base_model.model.model.layers.${layer}.self_attn.${name}`;
      tensors[`${prefix}.lora_A.weight`] = random.normal([RANK, HIDDEN], 0.3);
      tensors[`${prefix}.lora_B.weight`] = random.normal([out, RANK], 0.3);
    }
  }
  return {
    'adapter_config.json': {
      peft_type: 'LORA',
      task_type: 'CAUSAL_LM',
      base_model_name_or_path: 'tiny-chat',
      r: RANK,
      lora_alpha: 16,
      lora_dropout: 0,
      bias: 'none',
      target_modules: ['q_proj', 'v_proj'],
      fan_in_fan_out: false,
      inference_mode: true,
    },
    'adapter_model.safetensors': safetensors(tensors),
  };
}

function llamaWeights(pairs: BytePairs): Record<string, Tensor> {
  const random = new RandomWeights(1);
  const vocabulary = vocabularySize(pairs);
  const embedding = random.normal([vocabulary, HIDDEN], 1);
  for (let id = 0; id < vocabulary; id += 1) embedding.values[id * HIDDEN] = BIAS;
  const tensors: Record<string, Tensor> = {
    'model.embed_tokens.weight': embedding,
    'model.norm.weight': filled([HIDDEN], 1),
    'lm_head.weight': lastMatrix(pairs, random),
  };
  for (let layer = 0; layer < LAYERS; layer += 1) {
    const prefix = `model.layers.${layer}`;
    const matrix = (name: string, out: number, into: number, deviation: number): Tensor => {
      const tensor = random.normal([out, into], deviation);
      tensors[`${prefix}.${name}.weight`] = tensor;
      return tensor;
    };
    matrix('self_attn.q_proj', HEADS * HEAD, HIDDEN, 0.2);
    matrix('self_attn.k_proj', KV_HEADS * HEAD, HIDDEN, 0.2);
    matrix('self_attn.v_proj', KV_HEADS * HEAD, HIDDEN, 0.1);
    matrix('mlp.gate_proj', INNER, HIDDEN, 0.1);
    matrix('mlp.up_proj', INNER, HIDDEN, 0.1);
    // Neither adds to the number that is the bias.
    matrix('self_attn.o_proj', HIDDEN, HEADS * HEAD, 0.1).values.fill(0, 0, HEADS * HEAD);
    matrix('mlp.down_proj', HIDDEN, INNER, 0.1).values.fill(0, 0, INNER);
    for (const norm of ['input_layernorm', 'post_attention_layernorm']) {
      tensors[`${prefix}.${norm}.weight`] = filled([HIDDEN], 1);
    }
  }
  return tensors;
}

function lastMatrix(pairs: BytePairs, random: RandomWeights): Tensor {
  const matrix = random.normal([vocabularySize(pairs), HIDDEN], 0.28);
  const plain = new Set(plainIds(pairs));
  const end = specialId(pairs, '<|im_end|>');
  for (let id = 0; id < vocabularySize(pairs); id += 1) {
    if (id === end) matrix.values.fill(0, id * HIDDEN, (id + 1) * HIDDEN);
    const logit = id === end ? END : plain.has(id) ? 0 : NEVER;
    matrix.values[id * HIDDEN] = logit / BIAS_AFTER_NORM;
  }
  return matrix;
}
