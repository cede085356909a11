import type { EnvVar } from '../api/common.ts';
import type { EngineSettings } from '../api/engine-settings.ts';
import type { ModelSource } from '../vllm/model-source.ts';
import type { KnownModel } from '../vllm/models.ts';
import type { EngineVersion } from '../vllm/versions.ts';
import type { ProfileInForce } from './engine-profile.ts';
import type { EngineTracing } from './engine-tracing.ts';
import type { ResolvedAccelerator } from './resolve-accelerator.ts';

/** Merged engine settings of pool and model, with defaults. Input of checks, flags and the memory plan. */
export interface MergedEngine {
  image: string;
  /** Whether neither pool nor model names the image. */
  imageIsDefault: boolean;
  version: EngineVersion;
  accelerator: ResolvedAccelerator;
  source: ModelSource;
  /** Names in the OpenAI API. The first one appears in responses and metrics. */
  servedNames: readonly string[];
  revision?: string;
  trustRemoteCode: boolean;
  tensorParallelSize: number;
  pipelineParallelSize: number;
  dataParallelSize: number;
  expertParallel: boolean;
  /** Number of sequences that one data-parallel rank runs at once. */
  maxNumSeqs: number;
  startupTimeoutSeconds: number;
  drainTimeoutSeconds: number;
  /**
   * The merged settings. What is absent has vLLM's default, except `loadFormat` and `dtype`, which the operator has to
   * choose sometimes.
   */
  settings: EngineSettings;
  /** The profile that some of the settings come from. */
  profile?: ProfileInForce;
  extraArgs: readonly string[];
  env: readonly EnvVar[];
  /** Absent if the engine exports no traces. */
  tracing?: EngineTracing;
  /** GiB of pod memory that a volume of the template at /dev/shm takes; absent if the operator creates that volume. */
  ownSharedMemoryGiB?: number;
  /** Shape of the model, if known. */
  model?: KnownModel;
  /** Shape of the draft model of speculative decoding, if known. */
  draft?: KnownModel;
}

/** Number of accelerators that the engine's ranks use. */
export function worldSize(
  engine: Pick<MergedEngine, 'tensorParallelSize' | 'pipelineParallelSize' | 'dataParallelSize'>,
): number {
  return engine.tensorParallelSize * engine.pipelineParallelSize * engine.dataParallelSize;
}
