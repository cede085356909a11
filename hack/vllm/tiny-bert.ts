import type { BytePairs } from './byte-pairs.ts';
import { filled, RandomWeights } from './random-weights.ts';
import { safetensors, type Tensor } from './safetensors.ts';
import { encoderTokenizer, specialId, vocabularySize } from './tiny-tokenizer.ts';

const HIDDEN = 64;
const INNER = 128;
const LAYERS = 2;
const POSITIONS = 512;

/** Files of an embedding model of 64 dimensions with random weights, by name. */
export function tinyEmbedder(pairs: BytePairs): Record<string, unknown> {
  return {
    'config.json': config(pairs, 'BertModel', {}),
    'model.safetensors': safetensors(bertWeights(pairs, new RandomWeights(3), '')),
    'modules.json': [
      { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
      { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
      { idx: 2, name: '2', path: '2_Normalize', type: 'sentence_transformers.models.Normalize' },
    ],
    '1_Pooling/config.json': {
      word_embedding_dimension: HIDDEN,
      pooling_mode_cls_token: true,
      pooling_mode_mean_tokens: false,
    },
    ...encoderTokenizer(pairs),
  };
}

/** Files of a reranker (a classifier with one label) with random weights, by name. */
export function tinyReranker(pairs: BytePairs): Record<string, unknown> {
  const random = new RandomWeights(4);
  return {
    'config.json': config(pairs, 'BertForSequenceClassification', {
      id2label: { 0: 'LABEL_0' },
      label2id: { LABEL_0: 0 },
    }),
    'model.safetensors': safetensors({
      ...bertWeights(pairs, random, 'bert.'),
      'classifier.weight': random.normal([1, HIDDEN], 0.2),
      'classifier.bias': filled([1], 0),
    }),
    ...encoderTokenizer(pairs),
  };
}

function config(pairs: BytePairs, architecture: string, more: object): object {
  return {
    architectures: [architecture],
    model_type: 'bert',
    vocab_size: vocabularySize(pairs),
    hidden_size: HIDDEN,
    intermediate_size: INNER,
    num_hidden_layers: LAYERS,
    num_attention_heads: 2,
    hidden_act: 'gelu',
    max_position_embeddings: POSITIONS,
    type_vocab_size: 2,
    layer_norm_eps: 1e-12,
    pad_token_id: specialId(pairs, '<pad>'),
    torch_dtype: 'float32',
    ...more,
  };
}

function bertWeights(pairs: BytePairs, random: RandomWeights, prefix: string): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  const linear = (name: string, out: number, into: number): void => {
    tensors[`${prefix}${name}.weight`] = random.normal([out, into], 0.15);
    tensors[`${prefix}${name}.bias`] = filled([out], 0);
  };
  const norm = (name: string): void => {
    tensors[`${prefix}${name}.weight`] = filled([HIDDEN], 1);
    tensors[`${prefix}${name}.bias`] = filled([HIDDEN], 0);
  };
  for (const [name, rows] of [
    ['word', vocabularySize(pairs)],
    ['position', POSITIONS],
    ['token_type', 2],
  ] as const) {
    tensors[`${prefix}embeddings.${name}_embeddings.weight`] = random.normal([rows, HIDDEN], 0.5);
  }
  norm('embeddings.LayerNorm');
  for (let layer = 0; layer < LAYERS; layer += 1) {
    const at = `encoder.layer.${layer}`;
    for (const name of ['query', 'key', 'value']) linear(`${at}.attention.self.${name}`, HIDDEN, HIDDEN);
    linear(`${at}.attention.output.dense`, HIDDEN, HIDDEN);
    norm(`${at}.attention.output.LayerNorm`);
    linear(`${at}.intermediate.dense`, INNER, HIDDEN);
    linear(`${at}.output.dense`, HIDDEN, INNER);
    norm(`${at}.output.LayerNorm`);
  }
  linear('pooler.dense', HIDDEN, HIDDEN);
  return tensors;
}
