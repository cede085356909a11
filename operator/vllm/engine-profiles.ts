/**
 * Named sets of engine settings: those of the operator, and which settings one may have. Sources: "Optimization and Tuning"
 * and "Conserving Memory" in vLLM's documentation (docs.vllm.ai/en/stable/configuration/), and `--performance-mode` in its
 * reference of `vllm serve`.
 */
import type { z } from 'zod';
import type { shapeOf } from './setting.ts';
import { SETTINGS } from './settings.ts';

/** Settings about speed and memory. Those that decide which API a model has belong to the model. */
export const PROFILE_SETTINGS = pick(SETTINGS, [
  'tensorParallelSize',
  'pipelineParallelSize',
  'dataParallelSize',
  'expertParallel',
  'dtype',
  'quantization',
  'maxModelLen',
  'pagedAttention',
  'batching',
  'performanceMode',
  'speculative',
]);

type Shape = ReturnType<typeof shapeOf<typeof PROFILE_SETTINGS>>;

/** Settings of a profile. */
export type ProfileSettings = z.output<z.ZodObject<Shape>>;

export interface EngineProfile {
  /** When to use it, as a sentence. */
  purpose: string;
  settings: ProfileSettings;
  /** Why each setting has its value, by path. */
  reasons: Readonly<Record<string, string>>;
}

/** The profiles that every pool has. */
export const ENGINE_PROFILES = {
  Throughput: {
    purpose:
      'Most tokens per second with many requests at once, such as batch jobs; each of them takes longer.',
    settings: { performanceMode: 'throughput', batching: { maxNumBatchedTokens: 16_384 } },
    reasons: {
      performanceMode:
        'Larger CUDA graphs and kernels for throughput. Twice as many sequences at once as without a profile.',
      'batching.maxNumBatchedTokens':
        'vLLM recommends more than 8192 for throughput, above all for small models on large GPUs. Takes more memory for activations.',
    },
  },
  Balanced: {
    purpose: "vLLM's own defaults, for a model in a pool that names another profile.",
    settings: { performanceMode: 'balanced' },
    reasons: { performanceMode: "vLLM's default." },
  },
  Latency: {
    purpose: 'Shortest time for each request with few requests at once, such as interactive chat.',
    settings: {
      performanceMode: 'interactivity',
      batching: { maxNumSeqs: 64, maxNumBatchedTokens: 2048 },
    },
    reasons: {
      performanceMode: 'Finer CUDA graphs and kernels for small batches.',
      'batching.maxNumSeqs':
        'Fewer sequences share a step, so each step is shorter. Further requests wait in the router, where priorities and limits apply.',
      'batching.maxNumBatchedTokens':
        'vLLM recommends small values such as 2048 for the time between tokens: fewer prompts slow down a step.',
    },
  },
  Safe: {
    purpose: 'Margins instead of speed: for a model that runs out of memory or preempts requests.',
    settings: {
      pagedAttention: { gpuMemoryUtilization: '0.85' },
      batching: { maxNumSeqs: 64, maxNumBatchedTokens: 2048 },
    },
    reasons: {
      'pagedAttention.gpuMemoryUtilization':
        'Leaves 15 % of the memory free; vLLM leaves 8 % by default, and 10 % before v0.20.',
      'batching.maxNumSeqs': 'Fewer sequences need less KV cache, so fewer are preempted.',
      'batching.maxNumBatchedTokens':
        "vLLM's default on A100s and on GPUs with less than 70 GiB: less memory for activations.",
    },
  },
} as const satisfies Record<string, EngineProfile>;

export const PROFILE_NAMES = Object.keys(ENGINE_PROFILES) as (keyof typeof ENGINE_PROFILES)[];

/** The named members of an object, in the order of the names. */
function pick<T extends object, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, K>;
}
