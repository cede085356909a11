/**
 * The settings of the API that come to flags of `vllm serve`, each in one entry: schema, words, flags and versions, merge and
 * rendering. The API's schema, the field reference, the merge, the arguments, the refusals of `extraArgs` and the simulator's
 * parser follow from this table. In the order in which flags are rendered.
 */
import { z } from 'zod';
import { DEFAULTS } from '../values/defaults.ts';
import { matching } from '../values/matching.ts';
import { withRules } from '../values/rule.ts';
import { decimal, duration, servedName } from '../values/scalars.ts';
import { weightsName } from '../values/source-rules.ts';
import { modelFacts } from './model-facts.ts';
import { hubIdOrPath } from './model-source.ts';
import { flatten, group, isGroup, setting } from './setting.ts';

const parallelism = z.int().min(1).max(1024);

/** A name out of a list that vLLM's plugins may extend, such as a parser or a quantization method. */
const pluginName = matching(z.string().min(1).max(64), /^[a-z0-9_-]+$/, {
  problem: 'not a name that vLLM has',
  remedy: 'use lower-case letters, digits, _ and -, such as fp8 or qwen3_coder',
});

const gpuMemoryUtilization = withRules(decimal, [
  {
    rule: 'double(self) > 0.0 && double(self) <= 1.0',
    problem: 'gpuMemoryUtilization is a fraction above 0 and at most 1',
    remedy: 'set a decimal string such as "0.90"',
    holds: (self) => Number(self) > 0 && Number(self) <= 1,
  },
]);

/** Methods of speculation that vLLM refuses without a model of their own; custom_class names a Python class in its place. */
const METHODS_WITH_DRAFT_MODEL: readonly string[] = [
  'draft_model',
  'eagle',
  'eagle3',
  'medusa',
  'mlp_speculator',
  'dflash',
  'custom_class',
];

const pagedAttention = group({
  docs: 'How the KV cache is kept in memory.',
  members: {
    blockSize: setting({
      schema: z.int().min(1).max(1024),
      docs: 'Tokens per KV-cache block (`--block-size`). vLLM chooses by platform when unset; 16 on CUDA.',
      flags: ['block-size'],
    }),
    gpuMemoryUtilization: setting({
      schema: gpuMemoryUtilization,
      docs: 'Fraction of accelerator memory that vLLM may use, above 0 and at most 1, as a decimal string such as "0.90".',
      flags: ['gpu-memory-utilization'],
    }),
    swapSpaceGiB: setting({
      schema: z.int().min(0).max(4096),
      docs: 'CPU memory in GiB that evicted KV blocks are kept in. `--swap-space` (per accelerator) on engines that have it, `--kv-offloading-size` (total) on those that removed it. 0 turns it off.',
      flags: ['swap-space', 'kv-offloading-size'],
      render: (size, { has, acceleratorsPerRank }) => {
        if (has('swap-space')) return [{ flag: 'swap-space', value: String(size) }];
        if (size === 0) return [];
        // The total over the tensor and pipeline ranks of one data-parallel rank.
        return [{ flag: 'kv-offloading-size', value: String(size * acceleratorsPerRank) }];
      },
    }),
    kvCacheDtype: setting({
      schema: pluginName,
      docs: 'Data type of the KV cache (`--kv-cache-dtype`), such as `auto` or `fp8`.',
      flags: ['kv-cache-dtype'],
    }),
    prefixCaching: setting({
      schema: z.boolean(),
      docs: 'Reuse of KV blocks between requests with the same prefix.',
      flags: ['enable-prefix-caching'],
    }),
  },
  rules: [],
});

const batching = group({
  docs: 'How much the engine runs at once.',
  members: {
    maxNumSeqs: setting({
      schema: z.int().min(1).max(65536),
      docs: 'Sequences that the engine runs at once; also the capacity of one replica in the router.',
      flags: ['max-num-seqs'],
    }),
    maxNumBatchedTokens: setting({
      schema: z.int().min(1).max(16777216),
      docs: 'Tokens per engine step.',
      flags: ['max-num-batched-tokens'],
    }),
    chunkedPrefill: setting({
      schema: z.boolean(),
      docs: 'Splitting of long prompts over steps.',
      flags: ['enable-chunked-prefill'],
    }),
  },
  rules: [
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
});

const speculative = withRules(
  z.object({
    method: pluginName.describe(
      'Method of speculation, such as `ngram`, `eagle3` or `draft_model`. `suffix` needs an image with the package arctic-inference.',
    ),
    model: weightsName(512)
      .optional()
      .describe(
        'Draft model, where the method needs one: `hf://org/name` or `file:///path` in the container; both also without the scheme.',
      ),
    facts: modelFacts
      .optional()
      .describe(
        'Shape of a draft model that is not in the catalog, for the memory plan, as in `model.facts`.',
      ),
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

const lora = group({
  docs: 'LoRA adapters.',
  switch: 'enable-lora',
  members: {
    maxLoras: setting({
      schema: z.int().min(1).max(1024),
      docs: 'Adapters in one batch. vLLM: 1.',
      flags: ['max-loras'],
    }),
    maxRank: setting({
      schema: z.literal([1, 8, 16, 32, 64, 128, 256, 320, 512]),
      docs: 'Largest adapter rank; one of the values vLLM admits. vLLM: 16.',
      flags: ['max-lora-rank'],
    }),
    maxCpuLoras: setting({
      schema: z.int().min(1).max(4096),
      docs: 'Adapters kept in CPU memory. vLLM: maxLoras.',
      flags: ['max-cpu-loras'],
    }),
    adapters: setting({
      schema: z
        .array(
          z.object({
            name: servedName.describe('Name of the adapter in the OpenAI API.'),
            source: weightsName(1024).describe(
              '`hf://org/name` or `file:///path` in the container; both also without the scheme.',
            ),
          }),
        )
        .max(64)
        .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
      docs: 'Adapters that the engine loads when it starts, each served under its own name. Pool and model are merged by name.',
      flags: ['lora-modules'],
      merge: 'byName',
      render: (adapters) =>
        adapters.length === 0
          ? []
          : [
              {
                flag: 'lora-modules',
                value: adapters.map(({ name, source }) => `${name}=${hubIdOrPath(source)}`),
              },
            ],
    }),
  },
  rules: [
    {
      rule: '!has(self.maxCpuLoras) || !has(self.maxLoras) || self.maxCpuLoras >= self.maxLoras',
      problem: 'maxCpuLoras is below maxLoras, which vLLM refuses',
      remedy: 'raise maxCpuLoras or lower maxLoras',
      fieldPath: '.maxCpuLoras',
      holds: (self) =>
        self.maxCpuLoras === undefined || self.maxLoras === undefined || self.maxCpuLoras >= self.maxLoras,
    },
  ],
});

/** Rendered only where it is more than one, which is vLLM's default. */
function aboveOne(flag: string): (size: number) => { flag: string; value: string }[] {
  return (size) => (size > 1 ? [{ flag, value: String(size) }] : []);
}

/** By their path below `spec.engine`. */
export const SETTINGS = {
  tensorParallelSize: setting({
    schema: parallelism,
    docs: 'Accelerators that one copy of the model is split over. Default: all of a replica, divided by the other sizes.',
    flags: ['tensor-parallel-size'],
  }),
  pipelineParallelSize: setting({
    schema: parallelism,
    docs: `Stages that the layers are split into. Default ${DEFAULTS.engine.pipelineParallelSize}.`,
    flags: ['pipeline-parallel-size'],
    render: aboveOne('pipeline-parallel-size'),
  }),
  dataParallelSize: setting({
    schema: parallelism,
    docs: `Copies of the model inside one replica. Default ${DEFAULTS.engine.dataParallelSize}.`,
    flags: ['data-parallel-size'],
    render: aboveOne('data-parallel-size'),
  }),
  expertParallel: setting({
    schema: z.boolean(),
    docs: 'Spread the experts of a mixture-of-experts model over all accelerators.',
    flags: ['enable-expert-parallel'],
    render: (on) => (on ? [{ flag: 'enable-expert-parallel', value: true }] : []),
  }),
  dtype: setting({
    schema: z.enum(['auto', 'half', 'float16', 'bfloat16', 'float', 'float32']),
    docs: 'Data type of weights and activations.',
    flags: ['dtype'],
  }),
  quantization: setting({
    schema: pluginName,
    docs: 'Quantization method, when the checkpoint does not say it.',
    flags: ['quantization'],
  }),
  loadFormat: setting({
    schema: pluginName,
    docs: 'Format of the weights (`--load-format`).',
    flags: ['load-format'],
  }),
  maxModelLen: setting({
    schema: z.union([z.int().min(1).max(16777216), z.literal('auto')], {
      error: 'expected an integer or "auto"',
    }),
    docs: 'Context length in tokens; `auto` takes the largest that fits.',
    flags: ['max-model-len'],
  }),
  pagedAttention,
  batching,
  performanceMode: setting({
    schema: z.enum(['balanced', 'interactivity', 'throughput']),
    docs: 'What vLLM tunes its defaults for.',
    flags: ['performance-mode'],
  }),
  speculative: setting({
    schema: speculative,
    docs: 'Speculative decoding.',
    flags: ['speculative-config', 'spec-method', 'spec-model', 'spec-tokens'],
    render: ({ method, model, numSpeculativeTokens, promptLookupMax, promptLookupMin }) => [
      {
        flag: 'speculative-config',
        value: JSON.stringify({
          method,
          model: model === undefined ? undefined : hubIdOrPath(model),
          num_speculative_tokens: numSpeculativeTokens,
          prompt_lookup_max: promptLookupMax,
          prompt_lookup_min: promptLookupMin,
        }),
      },
    ],
  }),
  lora,
  toolCallParser: setting({
    schema: pluginName,
    docs: 'Parser for tool calls, such as `llama3_json` or `hermes`; also turns on automatic tool choice.',
    flags: ['tool-call-parser', 'enable-auto-tool-choice'],
    render: (parser) => [
      { flag: 'enable-auto-tool-choice', value: true },
      { flag: 'tool-call-parser', value: parser },
    ],
  }),
  reasoningParser: setting({
    schema: pluginName,
    docs: 'Parser for reasoning, such as `deepseek_r1` or `qwen3`.',
    flags: ['reasoning-parser'],
  }),
  drainTimeout: setting({
    schema: duration,
    docs: `How long running requests may take to end before a pod is stopped. Default ${DEFAULTS.engine.drainTimeout}.`,
    flags: ['shutdown-timeout'],
    // An engine without it aborts requests at once: its pod waits before it is told to stop.
    // With 0, vLLM 0.28 closes its port on SIGTERM, leaves streams open and does not end.
    render: (_, { has, drainTimeoutSeconds }) =>
      has('shutdown-timeout')
        ? [{ flag: 'shutdown-timeout', value: String(Math.max(1, drainTimeoutSeconds)) }]
        : [],
  }),
};

/** A flag and the setting that it stands for: a path below `spec`. */
export interface SettingFlag {
  name: string;
  field: string;
}

/** Flags that `spec.model` of an InferenceModel comes to. */
const MODEL_FLAGS: readonly SettingFlag[] = [
  { name: 'model', field: 'model.source' },
  { name: 'served-model-name', field: 'model.servedNames' },
  { name: 'revision', field: 'model.revision' },
  { name: 'hf-token', field: 'model.tokenSecretRef' },
  { name: 'trust-remote-code', field: 'model.trustRemoteCode' },
];

/** Every flag that stands for a setting. */
export const SETTING_FLAGS: readonly SettingFlag[] = [
  ...MODEL_FLAGS,
  ...flatten(SETTINGS).flatMap(([path, entry]) => {
    const names = isGroup(entry) ? (entry.switch === undefined ? [] : [entry.switch]) : entry.flags;
    return names.map((name) => ({ name, field: `engine.${path}` }));
  }),
];
