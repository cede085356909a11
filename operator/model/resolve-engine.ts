import type { InferenceModelSpec } from '../api/inference-model.ts';
import { hasFlag } from '../vllm/flag-facts.ts';
import { renderFlags } from './engine-args.ts';
import { engineEnv } from './engine-env.ts';
import { podMemoryGiB, sharedMemoryGiB } from './host-memory.ts';
import type { MergedEngine } from './merged-engine.ts';
import type { ResolvedEngine } from './resolved-engine.ts';

/** Converts checked settings to arguments, environment and numbers. */
export function resolveEngine(engine: MergedEngine, spec: InferenceModelSpec): ResolvedEngine {
  const { settings, image, imageIsDefault, accelerator, source, servedNames } = engine;
  const { maxModelLen, command, lora } = settings;
  return {
    image,
    imageIsDefault,
    version: engine.version,
    ...(command === undefined ? {} : { command }),
    args: renderFlags(engine),
    env: engineEnv(engine, spec),
    accelerator,
    source,
    servedNames,
    adapters: (lora?.adapters ?? []).map(({ name }) => name),
    ...(typeof maxModelLen === 'number' && { maxModelLen }),
    ...(engine.profile && { profile: engine.profile }),
    capacity: engine.maxNumSeqs * engine.dataParallelSize,
    memoryGiB: podMemoryGiB(engine),
    sharedMemoryGiB: sharedMemoryGiB(engine),
    startupTimeoutSeconds: engine.startupTimeoutSeconds,
    drainTimeoutSeconds: engine.drainTimeoutSeconds,
    drainsItself: hasFlag('shutdown-timeout', engine.version),
  };
}
