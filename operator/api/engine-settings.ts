/** Settings of the vLLM engine. A model inherits its pool's and overrides field by field; defaults are applied after the merge. */
import { z } from 'zod';
import { decimal, duration, envVars, servedName } from './common.ts';
import { DEFAULTS } from './defaults.ts';
import { type Rule, withRules } from './rule.ts';
import { flagName, TYPED_FLAGS } from './typed-flags.ts';

const parallelism = z.int().min(1).max(1024);

/** A name out of a list that vLLM's plugins may extend, such as a parser or a quantization method. */
const pluginName = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[a-z0-9_-]+$/);

const gpuMemoryUtilization = withRules(decimal, [
  {
    rule: 'double(self) > 0.0 && double(self) <= 1.0',
    problem: 'gpuMemoryUtilization is a fraction above 0 and at most 1',
    remedy: 'set a decimal string such as "0.90"',
    holds: (self) => Number(self) > 0 && Number(self) <= 1,
  },
]);

const pagedAttentionSettings = z.object({
  blockSize: z
    .int()
    .min(1)
    .max(1024)
    .optional()
    .describe('Tokens per KV-cache block (`--block-size`). vLLM chooses by platform when unset; 16 on CUDA.'),
  gpuMemoryUtilization: gpuMemoryUtilization
    .optional()
    .describe(
      'Fraction of accelerator memory that vLLM may use, above 0 and at most 1, as a decimal string such as "0.90".',
    ),
  swapSpaceGiB: z
    .int()
    .min(0)
    .max(4096)
    .optional()
    .describe(
      'CPU memory in GiB that evicted KV blocks are kept in. `--swap-space` (per accelerator) on engines that have it, `--kv-offloading-size` (total) on those that removed it. 0 turns it off.',
    ),
  kvCacheDtype: pluginName
    .optional()
    .describe('Data type of the KV cache (`--kv-cache-dtype`), such as `auto` or `fp8`.'),
  prefixCaching: z.boolean().optional().describe('Reuse of KV blocks between requests with the same prefix.'),
});

const batchingSettings = withRules(
  z.object({
    maxNumSeqs: z
      .int()
      .min(1)
      .max(65536)
      .optional()
      .describe('Sequences that the engine runs at once; also the capacity of one replica in the router.'),
    maxNumBatchedTokens: z.int().min(1).max(16777216).optional().describe('Tokens per engine step.'),
    chunkedPrefill: z.boolean().optional().describe('Splitting of long prompts over steps.'),
  }),
  [
    {
      rule: '!has(self.maxNumSeqs) || !has(self.maxNumBatchedTokens) || self.maxNumBatchedTokens >= self.maxNumSeqs',
      problem: 'maxNumBatchedTokens is below maxNumSeqs, which vLLM refuses',
      remedy: 'raise maxNumBatchedTokens or lower maxNumSeqs',
      fieldPath: '.maxNumBatchedTokens',
      holds: (self) =>
        self.maxNumSeqs === undefined ||
        self.maxNumBatchedTokens === undefined ||
        self.maxNumBatchedTokens >= self.maxNumSeqs,
    },
  ],
);

const METHODS_WITH_DRAFT_MODEL = ['draft_model', 'eagle', 'eagle3', 'medusa', 'mlp_speculator'];

const speculativeSettings = withRules(
  z.object({
    method: pluginName.describe('Method of speculation, such as `ngram`, `eagle3` or `draft_model`.'),
    model: z.string().min(1).max(512).optional().describe('Draft model, where the method needs one.'),
    numSpeculativeTokens: z.int().min(1).max(64).describe('Tokens proposed per step.'),
    promptLookupMax: z.int().min(1).max(64).optional().describe('Longest n-gram looked up, with `ngram`.'),
    promptLookupMin: z.int().min(1).max(64).optional().describe('Shortest n-gram looked up, with `ngram`.'),
  }),
  [
    {
      rule: `!(self.method in ${JSON.stringify(METHODS_WITH_DRAFT_MODEL).replaceAll('"', "'")}) || has(self.model)`,
      problem: 'this method of speculation needs a draft model',
      remedy: 'set model, or use a method without one such as ngram',
      fieldPath: '.model',
      reason: 'FieldValueRequired',
      holds: (self) => !METHODS_WITH_DRAFT_MODEL.includes(self.method) || self.model !== undefined,
    },
    {
      rule: '!has(self.promptLookupMin) || !has(self.promptLookupMax) || self.promptLookupMin <= self.promptLookupMax',
      problem: 'promptLookupMin is above promptLookupMax',
      remedy: 'lower promptLookupMin or raise promptLookupMax',
      fieldPath: '.promptLookupMin',
      holds: (self) =>
        self.promptLookupMin === undefined ||
        self.promptLookupMax === undefined ||
        self.promptLookupMin <= self.promptLookupMax,
    },
  ],
);

const loraSettings = withRules(
  z.object({
    maxLoras: z.int().min(1).max(1024).optional().describe('Adapters in one batch. vLLM: 1.'),
    maxRank: z
      .literal([1, 8, 16, 32, 64, 128, 256, 320, 512])
      .optional()
      .describe('Largest adapter rank; one of the values vLLM admits. vLLM: 16.'),
    maxCpuLoras: z.int().min(1).max(4096).optional().describe('Adapters kept in CPU memory. vLLM: maxLoras.'),
    adapters: z
      .array(
        z.object({
          name: servedName.describe('Name of the adapter in the OpenAI API.'),
          source: z.string().min(1).max(1024).describe('Hugging Face id or a path in the container.'),
        }),
      )
      .max(64)
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .optional()
      .describe(
        'Adapters that the engine loads when it starts, each served under its own name. Pool and model are merged by name.',
      ),
  }),
  [
    {
      rule: '!has(self.maxCpuLoras) || !has(self.maxLoras) || self.maxCpuLoras >= self.maxLoras',
      problem: 'maxCpuLoras is below maxLoras, which vLLM refuses',
      remedy: 'raise maxCpuLoras or lower maxLoras',
      fieldPath: '.maxCpuLoras',
      holds: (self) =>
        self.maxCpuLoras === undefined || self.maxLoras === undefined || self.maxCpuLoras >= self.maxLoras,
    },
  ],
);

const extraArg = withRules(z.string().min(1).max(1024), [
  {
    // Not with split: the API server cannot bound the length of an item of a computed list, and refuses the cost.
    rule: "!self.matches('^-[^= ]* ')",
    problem: 'a flag and its value are one item here, which vLLM takes for the name of a flag',
    remedy: 'join them with = or make them two items',
    holds: (self) => !/^-[^= ]* /.test(self),
  },
]);

const TYPED_FLAG_MESSAGES = `{${[...TYPED_FLAGS].map(([flag, { problem, remedy }]) => `'${flag}': '${problem}: ${remedy}'`).join(', ')}}`;
const CEL_FLAG_NAME = "arg.replace('_', '-').replace('.', '=').split('=')[0]";
const CEL_FLAGS = `[${[...TYPED_FLAGS.keys()].map((flag) => `'${flag}'`).join(', ')}]`;

const extraArgsRule: Rule<string[]> = {
  rule: `self.all(arg, !(${CEL_FLAG_NAME} in ${CEL_FLAGS}))`,
  messageExpression: `self.map(arg, ${CEL_FLAG_NAME} in ${CEL_FLAGS}, ${TYPED_FLAG_MESSAGES}[${CEL_FLAG_NAME}])[0]`,
  problem: 'an argument repeats a typed setting or one that the operator sets',
  remedy: 'use the typed setting instead',
  reason: 'FieldValueForbidden',
  holds: (self) => self.every((argument) => !TYPED_FLAGS.has(flagName(argument))),
  explain: (self) =>
    self.flatMap((argument) => TYPED_FLAGS.get(flagName(argument)) ?? [])[0] ?? extraArgsRule,
};

export const engineSettings = z.object({
  image: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .describe(
      "Engine image. The version decides which flags exist: it is read from the tag of vLLM's own images and their mirrors (`…/vllm/vllm-openai`, `…-rocm`, `…-cpu`); others need `version`. A model that names an image inherits neither `version` nor `command`.",
    ),
  command: z
    .array(z.string().min(1).max(512))
    .min(1)
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional()
    .describe(
      'Command of an image whose entry point is not `vllm serve`, such as `[vllm, serve]`. The arguments of `vllm serve` follow it, the model first.',
    ),
  version: z
    .string()
    .min(1)
    .max(32)
    .regex(/^v?[0-9]+\.[0-9]+(\.[0-9]+)?$/, 'write a version of vLLM, such as v0.28.0')
    .optional()
    .describe(
      'vLLM version of an image whose tag does not tell it, such as a digest, a private build or one of a vendor.',
    ),
  tensorParallelSize: parallelism
    .optional()
    .describe(
      'Accelerators that one copy of the model is split over. Default: all of a replica, divided by the other sizes.',
    ),
  pipelineParallelSize: parallelism
    .optional()
    .describe(`Stages that the layers are split into. Default ${DEFAULTS.engine.pipelineParallelSize}.`),
  dataParallelSize: parallelism
    .optional()
    .describe(`Copies of the model inside one replica. Default ${DEFAULTS.engine.dataParallelSize}.`),
  expertParallel: z
    .boolean()
    .optional()
    .describe('Spread the experts of a mixture-of-experts model over all accelerators.'),
  dtype: z
    .enum(['auto', 'half', 'float16', 'bfloat16', 'float', 'float32'])
    .optional()
    .describe('Data type of weights and activations.'),
  quantization: pluginName.optional().describe('Quantization method, when the checkpoint does not say it.'),
  maxModelLen: z
    .union([z.int().min(1).max(16777216), z.literal('auto')], { error: 'expected an integer or "auto"' })
    .optional()
    .describe('Context length in tokens; `auto` takes the largest that fits.'),
  pagedAttention: pagedAttentionSettings.optional().describe('How the KV cache is kept in memory.'),
  batching: batchingSettings.optional().describe('How much the engine runs at once.'),
  performanceMode: z
    .enum(['balanced', 'interactivity', 'throughput'])
    .optional()
    .describe('What vLLM tunes its defaults for.'),
  speculative: speculativeSettings.optional().describe('Speculative decoding.'),
  lora: loraSettings.optional().describe('LoRA adapters.'),
  toolCallParser: pluginName
    .optional()
    .describe(
      'Parser for tool calls, such as `llama3_json` or `hermes`; also turns on automatic tool choice.',
    ),
  reasoningParser: pluginName.optional().describe('Parser for reasoning, such as `deepseek_r1` or `qwen3`.'),
  loadFormat: pluginName.optional().describe('Format of the weights (`--load-format`).'),
  startupTimeout: duration
    .optional()
    .describe(`How long an engine may take to become healthy. Default ${DEFAULTS.engine.startupTimeout}.`),
  drainTimeout: duration
    .optional()
    .describe(
      `How long running requests may take to end before a pod is stopped. Default ${DEFAULTS.engine.drainTimeout}.`,
    ),
  extraArgs: withRules(z.array(extraArg).max(64).meta({ 'x-kubernetes-list-type': 'atomic' }), [
    extraArgsRule,
  ])
    .optional()
    .describe(
      'Further `vllm serve` arguments. One that repeats a typed setting is an error. Pool and model are merged by flag: a flag of the model replaces that of the pool, with its values.',
    ),
  env: envVars.optional().describe('Environment variables of the engine. Pool and model are merged by name.'),
});

export type EngineSettings = z.infer<typeof engineSettings>;
