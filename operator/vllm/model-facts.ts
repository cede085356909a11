/** What a user says of a model that is not in the catalog: `spec.model.facts`, and the same of a draft model. */
import { z } from 'zod';
import { decimal } from '../values/scalars.ts';

/** How weights are stored. */
export const WEIGHT_FORMATS = ['fp32', 'bf16', 'fp8', 'int4', 'nvfp4', 'mxfp4'] as const;
export type WeightFormat = (typeof WEIGHT_FORMATS)[number];

/** The longest context that a model may state, in tokens. */
export const LONGEST_CONTEXT = 16_777_216;

const count = (most: number) => z.int().min(1).max(most);

export const modelFacts = z.object({
  parametersBillions: decimal.describe('Number of parameters, in 10^9.'),
  weightFormat: z
    .enum(WEIGHT_FORMATS)
    .optional()
    .describe(
      'Format of the weights. Default: from the suffix of the name, such as `-AWQ` or `-FP8`, else `bf16`, which also stands for 16-bit floats.',
    ),
  weightsGiB: decimal
    .optional()
    .describe('Size of the weights, if it does not follow from parameters and format.'),
  layers: count(1024).describe('`num_hidden_layers`.'),
  cachedLayers: z
    .int()
    .min(0)
    .max(1024)
    .optional()
    .describe(
      'Layers that have a KV cache: less than `layers` with linear attention, and 0 for encoders such as BERT. Default: all.',
    ),
  attentionHeads: count(4096).describe('`num_attention_heads`. The tensor-parallel size must divide it.'),
  kvHeads: count(4096).describe('`num_key_value_heads`.'),
  headDim: count(4096).describe('`head_dim`, or hidden size divided by attention heads.'),
  maxPositionEmbeddings: count(LONGEST_CONTEXT)
    .optional()
    .describe('`max_position_embeddings`: the longest context.'),
  vocabularySize: count(16_777_216).optional().describe('`vocab_size`.'),
  slidingWindow: z
    .object({
      layers: count(1024).describe('Layers that only look back a number of tokens.'),
      tokens: count(LONGEST_CONTEXT).describe('`sliding_window`.'),
    })
    .optional()
    .describe('For models of which some layers have a sliding window.'),
  experts: z
    .object({
      count: count(65536).describe('Experts of a layer.'),
      perToken: count(65536).describe('Experts that a token uses.'),
      activeParametersBillions: decimal.describe('Parameters that a token uses, in 10^9.'),
    })
    .optional()
    .describe('For mixtures of experts.'),
  kvLoraRank: count(65536).optional().describe('`kv_lora_rank`, for models with latent attention (MLA).'),
  qkRopeHeadDim: count(65536)
    .optional()
    .describe('`qk_rope_head_dim`, for models with latent attention (MLA).'),
});

export type ModelFacts = z.output<typeof modelFacts>;
