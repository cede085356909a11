import type { EnvVar } from '../api/common.ts';
import type { ModelSource } from '../vllm/model-source.ts';
import type { EngineVersion } from '../vllm/versions.ts';
import type { ProfileInForce } from './engine-profile.ts';
import type { ResolvedAccelerator } from './resolve-accelerator.ts';

/** The complete configuration of an engine pod, and what routers and scaling need to know about it. */
export interface ResolvedEngine {
  image: string;
  /** Whether neither pool nor model names the image. */
  imageIsDefault: boolean;
  version: EngineVersion;
  /** Entrypoint; if absent, the image's. */
  command?: readonly string[];
  args: readonly string[];
  env: readonly EnvVar[];
  accelerator: ResolvedAccelerator;
  source: ModelSource;
  /** Names in the OpenAI API. The first one appears in responses and metrics. */
  servedNames: readonly string[];
  /** Names of LoRA adapters in the OpenAI API. */
  adapters: readonly string[];
  /** The profile that some of the settings come from. */
  profile?: ProfileInForce;
  /** Context length, if a setting defines it. */
  maxModelLen?: number;
  /** Number of sequences that one replica runs at once. */
  capacity: number;
  /** Memory of the pod, and the part of it for shared memory, in GiB. */
  memoryGiB: number;
  sharedMemoryGiB: number;
  startupTimeoutSeconds: number;
  drainTimeoutSeconds: number;
  /** Whether the engine finishes running requests after SIGTERM. Older versions abort them at once. */
  drainsItself: boolean;
}
