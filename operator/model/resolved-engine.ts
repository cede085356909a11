import type { EnvVar } from '../api/common.ts';
import type { ModelSource } from '../vllm/model-source.ts';
import type { ResolvedAccelerator } from './resolve-accelerator.ts';

/** What an engine pod runs with, and what routers and scaling have to know of it. Nothing in it is left to decide. */
export interface ResolvedEngine {
  image: string;
  /** Entrypoint; absent: the image's. */
  command?: readonly string[];
  args: readonly string[];
  env: readonly EnvVar[];
  accelerator: ResolvedAccelerator;
  source: ModelSource;
  /** Names in the OpenAI API, the first being the one in responses and metrics. */
  servedNames: readonly string[];
  /** Names of LoRA adapters in the OpenAI API. */
  adapters: readonly string[];
  /** Context length, where a setting says it. */
  maxModelLen?: number;
  /** Sequences that one replica runs at once. */
  capacity: number;
  /** Memory of the pod, and of it the volume for shared memory, in GiB. */
  memoryGiB: number;
  sharedMemoryGiB: number;
  startupTimeoutSeconds: number;
  drainTimeoutSeconds: number;
  /** Whether the engine ends running requests by itself after SIGTERM; an older one aborts them at once. */
  drainsItself: boolean;
}
