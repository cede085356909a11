/** Shapes of models we know, for checks and the memory plan. From config.json of each model and the model catalogs of KAITO and aiconfigurator. */
import type { ModelFacts, WeightFormat } from './model-facts.ts';
import { modelBaseName } from './model-source.ts';

export interface KnownModel {
  layers: number;
  attentionHeads: number;
  /** Key-value heads; 1 with latent attention, where every tensor-parallel rank keeps the whole. */
  kvHeads: number;
  headDim: number;
  /** Hidden size, where it is not attention heads times head dimension. */
  hidden?: number;
  /** Whether the last matrix is the input embedding. */
  tiedEmbeddings?: boolean;
  /** Layers with a KV cache. Absent: all. */
  cachedLayers?: number;
  parametersBillions: number;
  maxPositionEmbeddings?: number;
  vocabulary?: number;
  /** Format of the checkpoint. */
  format: WeightFormat;
  /** Size of the checkpoint in GiB where it does not follow from parameters and format. */
  weightsGiB?: number;
  /** Latent attention (MLA): numbers cached per token and layer. */
  latent?: { kvLoraRank: number; qkRopeHeadDim: number };
  /** Mixture of experts; parameters in 10^9 that one token uses, with the embeddings, which OpenAI leaves out. */
  experts?: { count: number; perToken: number; activeBillions: number };
  /** Layers that only look back `window` tokens. */
  sliding?: { layers: number; window: number };
}

const llama70b = {
  layers: 80,
  attentionHeads: 64,
  kvHeads: 8,
  headDim: 128,
  parametersBillions: 70.55,
  maxPositionEmbeddings: 131072,
  vocabulary: 128256,
  format: 'bf16',
} as const;

const deepseekV3 = {
  layers: 61,
  attentionHeads: 128,
  kvHeads: 1,
  headDim: 192,
  hidden: 7168,
  parametersBillions: 671,
  maxPositionEmbeddings: 163840,
  vocabulary: 129280,
  format: 'fp8',
  weightsGiB: 641.3,
  latent: { kvLoraRank: 512, qkRopeHeadDim: 64 },
  experts: { count: 256, perToken: 8, activeBillions: 37 },
} as const;

function dense(
  layers: number,
  attentionHeads: number,
  kvHeads: number,
  headDim: number,
  parametersBillions: number,
  maxPositionEmbeddings: number,
  vocabulary: number,
): KnownModel {
  return {
    layers,
    attentionHeads,
    kvHeads,
    headDim,
    parametersBillions,
    maxPositionEmbeddings,
    vocabulary,
    format: 'bf16',
  };
}

/** By the name in the hub in lower case, without organisation, version and instruction suffixes (`normalName`). */
const MODELS: Readonly<Record<string, KnownModel>> = {
  'llama-2-7b': dense(32, 32, 32, 128, 6.74, 4096, 32000),
  'llama-2-13b': dense(40, 40, 40, 128, 13.02, 4096, 32000),
  'llama-2-70b': dense(80, 64, 8, 128, 68.98, 4096, 32000),
  'llama-3-8b': dense(32, 32, 8, 128, 8.03, 8192, 128256),
  'llama-3-70b': { ...llama70b, maxPositionEmbeddings: 8192 },
  'llama-3.1-8b': dense(32, 32, 8, 128, 8.03, 131072, 128256),
  'llama-3.1-70b': llama70b,
  'llama-3.3-70b': llama70b,
  'llama-3.1-nemotron-70b': llama70b,
  'llama-3.1-405b': dense(126, 128, 8, 128, 405.85, 131072, 128256),
  'deepseek-r1-distill-llama-70b': llama70b,
  'mistral-7b': dense(32, 32, 8, 128, 7.25, 32768, 32768),
  'codellama-7b': dense(32, 32, 32, 128, 6.74, 16384, 32016),
  'codellama-13b': dense(40, 40, 40, 128, 13.02, 16384, 32016),
  'qwen-72b': dense(80, 64, 64, 128, 72.29, 32768, 152064),
  'qwen2.5-72b': dense(80, 64, 8, 128, 72.71, 32768, 152064),
  'qwen2.5-7b': dense(28, 28, 4, 128, 7.62, 32768, 152064),
  'qwen2.5-coder-7b': dense(28, 28, 4, 128, 7.62, 32768, 152064),
  'qwen2.5-14b': dense(48, 40, 8, 128, 14.77, 32768, 152064),
  'qwen2.5-32b': dense(64, 40, 8, 128, 32.76, 32768, 152064),
  'deepseek-r1-distill-qwen-7b': dense(28, 28, 4, 128, 7.62, 131072, 152064),
  'deepseek-r1-distill-qwen-14b': dense(48, 40, 8, 128, 14.77, 131072, 152064),
  'deepseek-r1-distill-qwen-32b': dense(64, 40, 8, 128, 32.76, 131072, 152064),
  'qwen2.5-0.5b': { ...dense(24, 14, 2, 64, 0.494, 32768, 151936), tiedEmbeddings: true },
  'qwen3-8b': dense(36, 32, 8, 128, 8.19, 40960, 151936),
  'qwen3-14b': dense(40, 40, 8, 128, 14.77, 40960, 151936),
  'qwen3-32b': { ...dense(64, 64, 8, 128, 32.76, 40960, 151936), hidden: 5120 },
  'qwen3-30b-a3b': {
    ...dense(48, 32, 4, 128, 30.53, 40960, 151936),
    hidden: 2048,
    experts: { count: 128, perToken: 8, activeBillions: 3.3 },
  },
  'qwen3-235b-a22b': {
    ...dense(94, 64, 4, 128, 235.09, 40960, 151936),
    hidden: 4096,
    experts: { count: 128, perToken: 8, activeBillions: 22.2 },
  },
  'phi-4': dense(40, 40, 10, 128, 14.66, 16384, 100352),
  'phi-4-mini': { ...dense(32, 24, 8, 128, 3.84, 131072, 200064), tiedEmbeddings: true },
  'minimax-m2.5': {
    ...dense(62, 48, 8, 128, 228.7, 196608, 200064),
    hidden: 3072,
    format: 'fp8',
    experts: { count: 256, perToken: 8, activeBillions: 11.0 },
  },
  'deepseek-v3': deepseekV3,
  'deepseek-r1': deepseekV3,
  'gpt-oss-20b': {
    ...dense(24, 64, 8, 64, 20.9, 131072, 201088),
    hidden: 2880,
    format: 'mxfp4',
    weightsGiB: 12.8,
    experts: { count: 32, perToken: 4, activeBillions: 4.2 },
    sliding: { layers: 12, window: 128 },
  },
  'gpt-oss-120b': {
    ...dense(36, 64, 8, 64, 116.8, 131072, 201088),
    hidden: 2880,
    format: 'mxfp4',
    weightsGiB: 60.8,
    experts: { count: 128, perToken: 4, activeBillions: 5.7 },
    sliding: { layers: 18, window: 128 },
  },
  'mixtral-8x7b': {
    ...dense(32, 32, 8, 128, 46.7, 32768, 32000),
    experts: { count: 8, perToken: 2, activeBillions: 12.9 },
  },
  'mixtral-8x22b': {
    ...dense(56, 48, 8, 128, 140.6, 65536, 32768),
    experts: { count: 8, perToken: 2, activeBillions: 39.1 },
  },
  'gemma-3-27b': {
    ...dense(62, 32, 16, 128, 27.4, 131072, 262208),
    hidden: 5376,
    tiedEmbeddings: true,
    sliding: { layers: 52, window: 1024 },
  },
};

/** Base checkpoints that reach further than the instruction-tuned ones. */
const BASE_CONTEXT: Readonly<Record<string, number>> = { 'qwen2.5-72b': 131072, 'qwen2.5-7b': 131072 };

/** Where the name of a format begins, whatever follows it after another dash. */
const FORMAT_SUFFIXES: readonly [RegExp, WeightFormat][] = [
  [/-(fp8|w8a8|int8|gptq-int8|quantized\.w8a8)(?![^-])/, 'fp8'],
  [/-(nvfp4|fp4)(?![^-])/, 'nvfp4'],
  [/-mxfp4(?![^-])/, 'mxfp4'],
  [/-(awq|gptq|int4|w4a16|quantized\.w4a16|bnb-4bit)(?![^-])/, 'int4'],
];
const VARIANT_SUFFIX = /-(instruct|it|chat|hf|base|python|preview|v0\.[0-9]|[0-9]{4}|instruct-[0-9]{4})$/;

interface NormalName {
  name: string;
  instruct: boolean;
  format?: WeightFormat;
}

function normalName(baseName: string): NormalName {
  let name = baseName.toLowerCase().replace(/^meta-/, '');
  const suffix = FORMAT_SUFFIXES.find(([pattern]) => pattern.test(name));
  if (suffix !== undefined) name = name.slice(0, name.search(suffix[0]));
  const instruct = /-(instruct|it|chat)(-|$)/.test(name);
  while (VARIANT_SUFFIX.test(name)) name = name.replace(VARIANT_SUFFIX, '');
  return { name, instruct, ...(suffix === undefined ? {} : { format: suffix[1] }) };
}

function fromUser(facts: ModelFacts, format: WeightFormat): KnownModel {
  const { kvLoraRank, qkRopeHeadDim, slidingWindow, experts } = facts;
  const latent =
    kvLoraRank === undefined || qkRopeHeadDim === undefined ? undefined : { kvLoraRank, qkRopeHeadDim };
  return {
    layers: facts.layers,
    attentionHeads: facts.attentionHeads,
    kvHeads: latent === undefined ? facts.kvHeads : 1,
    headDim: facts.headDim,
    parametersBillions: Number(facts.parametersBillions),
    format: facts.weightFormat ?? format,
    ...(facts.cachedLayers !== undefined && { cachedLayers: facts.cachedLayers }),
    ...(facts.weightsGiB !== undefined && { weightsGiB: Number(facts.weightsGiB) }),
    ...(facts.maxPositionEmbeddings !== undefined && { maxPositionEmbeddings: facts.maxPositionEmbeddings }),
    ...(facts.vocabularySize !== undefined && { vocabulary: facts.vocabularySize }),
    ...(latent && { latent }),
    ...(slidingWindow && { sliding: { layers: slidingWindow.layers, window: slidingWindow.tokens } }),
    ...(experts && {
      experts: {
        count: experts.count,
        perToken: experts.perToken,
        activeBillions: Number(experts.activeParametersBillions),
      },
    }),
  };
}

/**
 * Facts of the model behind a source: the user's where there are any, else the catalog's. The look-up ignores the
 * organisation, versions such as -v0.3 or -0528 and suffixes such as -Instruct; one such as -AWQ or -FP8 sets the format.
 */
export function findModel(source: string, facts?: ModelFacts): KnownModel | undefined {
  const { name, instruct, format } = normalName(modelBaseName(source));
  if (facts !== undefined) return fromUser(facts, format ?? 'bf16');
  const known = Object.hasOwn(MODELS, name) ? MODELS[name] : undefined;
  if (known === undefined) return undefined;
  const context = instruct ? undefined : BASE_CONTEXT[name];
  const { weightsGiB, ...shape } = known;
  const requantized = format !== undefined && format !== known.format;
  return {
    ...shape,
    ...(requantized ? { format } : { ...(weightsGiB === undefined ? {} : { weightsGiB }) }),
    ...(context === undefined ? {} : { maxPositionEmbeddings: context }),
  };
}
