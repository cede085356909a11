import type { EnvVar } from '../api/common.ts';
import type { EngineSettings } from '../api/engine-settings.ts';
import type { ModelSource } from '../vllm/model-source.ts';
import type { KnownModel } from '../vllm/models.ts';
import type { EngineVersion } from '../vllm/versions.ts';
import type { ResolvedAccelerator } from './resolve-accelerator.ts';

/** Engine settings of pool and model merged, with defaults: what checks, flags and the memory plan read. */
export interface MergedEngine {
  image: string;
  version: EngineVersion;
  accelerator: ResolvedAccelerator;
  source: ModelSource;
  /** Names in the OpenAI API, the first being the one in responses and metrics. */
  servedNames: readonly string[];
  revision?: string;
  trustRemoteCode: boolean;
  tensorParallelSize: number;
  pipelineParallelSize: number;
  dataParallelSize: number;
  expertParallel: boolean;
  /** Sequences that one data-parallel rank runs at once. */
  maxNumSeqs: number;
  startupTimeoutSeconds: number;
  drainTimeoutSeconds: number;
  /** The merged settings: what is absent is vLLM's default, but `loadFormat` and `dtype` where the operator has to choose. */
  settings: EngineSettings;
  extraArgs: readonly string[];
  env: readonly EnvVar[];
  /** GiB that a volume of the template at /dev/shm takes of the memory; absent where the operator makes that volume. */
  ownSharedMemoryGiB?: number;
  /** Shape of the model, if it is known. */
  model?: KnownModel;
}

/** Accelerators that the engine's ranks take. */
export function worldSize(
  engine: Pick<MergedEngine, 'tensorParallelSize' | 'pipelineParallelSize' | 'dataParallelSize'>,
): number {
  return engine.tensorParallelSize * engine.pipelineParallelSize * engine.dataParallelSize;
}
