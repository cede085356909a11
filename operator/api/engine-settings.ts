/** Settings of the vLLM engine. A model inherits its pool's and overrides field by field; defaults are applied after the merge. */
import { z } from 'zod';
import { decimal, duration, envVar } from './common.ts';

const parallelism = z.int().min(1).max(1024);

const pagedAttentionSettings = z.object({
  blockSize: z
    .int()
    .min(1)
    .max(1024)
    .optional()
    .describe('Tokens per KV-cache block (`--block-size`). vLLM chooses by platform when unset; 16 on CUDA.'),
  gpuMemoryUtilization: decimal
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
  kvCacheDtype: z
    .string()
    .min(1)
    .max(64)
    .regex(/^[a-z0-9_]+$/)
    .optional()
    .describe('Data type of the KV cache (`--kv-cache-dtype`), such as `auto` or `fp8`.'),
  prefixCaching: z.boolean().optional().describe('Reuse of KV blocks between requests with the same prefix.'),
});

const batchingSettings = z.object({
  maxNumSeqs: z
    .int()
    .min(1)
    .max(65536)
    .optional()
    .describe('Sequences that the engine runs at once; also the capacity of one replica in the router.'),
  maxNumBatchedTokens: z.int().min(1).max(16777216).optional().describe('Tokens per engine step.'),
  chunkedPrefill: z.boolean().optional().describe('Splitting of long prompts over steps.'),
});

const speculativeSettings = z.object({
  method: z
    .string()
    .min(1)
    .max(64)
    .regex(/^[a-z0-9_]+$/)
    .describe('Method of speculation, such as `ngram`, `eagle3` or `draft_model`.'),
  model: z.string().min(1).max(512).optional().describe('Draft model, where the method needs one.'),
  numSpeculativeTokens: z.int().min(1).max(64).describe('Tokens proposed per step.'),
  promptLookupMax: z.int().min(1).max(64).optional(),
  promptLookupMin: z.int().min(1).max(64).optional(),
});

const loraSettings = z.object({
  maxLoras: z.int().min(1).max(1024).optional().describe('Adapters in one batch.'),
  maxRank: z
    .literal([1, 8, 16, 32, 64, 128, 256, 320, 512])
    .optional()
    .describe('Largest adapter rank; one of the values vLLM admits.'),
  maxCpuLoras: z.int().min(1).max(4096).optional(),
  adapters: z
    .array(
      z.object({
        name: z.string().min(1).max(253).describe('Name of the adapter in the OpenAI API.'),
        source: z.string().min(1).max(1024).describe('Hugging Face id or a path in the container.'),
      }),
    )
    .max(64)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .optional(),
});

export const engineSettings = z.object({
  image: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .describe('Engine image. The version in its tag decides which flags exist.'),
  version: z
    .string()
    .max(32)
    .regex(/^v?[0-9]+\.[0-9]+(\.[0-9]+)?$/)
    .optional()
    .describe('vLLM version of an image whose tag does not tell it, such as a digest or a private build.'),
  tensorParallelSize: parallelism
    .optional()
    .describe(
      'Accelerators that one copy of the model is split over. Default: all of a replica, divided by the other sizes.',
    ),
  pipelineParallelSize: parallelism.optional().describe('Stages that the layers are split into.'),
  dataParallelSize: parallelism.optional().describe('Copies of the model inside one replica.'),
  expertParallel: z
    .boolean()
    .optional()
    .describe('Spread the experts of a mixture-of-experts model over all accelerators.'),
  dtype: z
    .enum(['auto', 'half', 'float16', 'bfloat16', 'float', 'float32'])
    .optional()
    .describe('Data type of weights and activations.'),
  quantization: z
    .string()
    .min(1)
    .max(64)
    .regex(/^[a-z0-9_-]+$/)
    .optional()
    .describe('Quantization method, when the checkpoint does not say it.'),
  maxModelLen: z
    .union([z.int().min(1).max(16777216), z.literal('auto')])
    .optional()
    .describe('Context length in tokens; `auto` takes the largest that fits.'),
  pagedAttention: pagedAttentionSettings.optional(),
  batching: batchingSettings.optional(),
  performanceMode: z.enum(['balanced', 'interactivity', 'throughput']).optional(),
  speculative: speculativeSettings.optional(),
  lora: loraSettings.optional(),
  toolCallParser: z
    .string()
    .min(1)
    .max(64)
    .regex(/^[a-z0-9_-]+$/)
    .optional()
    .describe('Parser for tool calls; also turns on automatic tool choice.'),
  reasoningParser: z
    .string()
    .min(1)
    .max(64)
    .regex(/^[a-z0-9_-]+$/)
    .optional(),
  loadFormat: z
    .string()
    .min(1)
    .max(64)
    .regex(/^[a-z0-9_]+$/)
    .optional()
    .describe('Format of the weights (`--load-format`).'),
  startupTimeout: duration.optional().describe('How long an engine may take to become healthy. Default 30m.'),
  drainTimeout: duration
    .optional()
    .describe('How long running requests may take to end before a pod is stopped. Default 5m.'),
  extraArgs: z
    .array(z.string().min(1).max(1024))
    .max(64)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional()
    .describe('Further `vllm serve` arguments. One that repeats a typed setting is an error.'),
  env: z
    .array(envVar)
    .max(64)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .optional(),
});

export type EngineSettings = z.infer<typeof engineSettings>;
