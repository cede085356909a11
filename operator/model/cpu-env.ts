import type { EnvVar } from '../api/common.ts';
import { flagsIn } from '../vllm/extra-args.ts';
import { committedMemoryGiB } from './host-memory.ts';
import { estimateMemory } from './memory-estimate.ts';
import type { MergedEngine } from './merged-engine.ts';

/** KV cache in whole GiB: what the plan leaves, or half of the memory if the model is unknown. */
function kvCacheGiB(engine: MergedEngine): number {
  const planned =
    engine.model === undefined
      ? (engine.accelerator.memoryGiB - committedMemoryGiB(engine)) / 2
      : estimateMemory(engine, engine.model).kvCacheGiB;
  return Math.max(1, Math.floor(planned));
}

/**
 * Environment for vLLM's CPU backend, empty on accelerators. By default it would size the KV cache by the memory of the
 * node and bind a thread to each of its cores. One core is reserved for the API server process.
 */
export function cpuEnv(engine: MergedEngine): EnvVar[] {
  const { vendor, cpu } = engine.accelerator;
  if (vendor !== 'cpu') return [];
  const sized = flagsIn(engine.extraArgs, engine.version).has('kv-cache-memory-bytes');
  return [
    ...(sized ? [] : [{ name: 'VLLM_CPU_KVCACHE_SPACE', value: String(kvCacheGiB(engine)) }]),
    { name: 'VLLM_CPU_OMP_THREADS_BIND', value: 'nobind' },
    { name: 'OMP_NUM_THREADS', value: String(Math.max(1, cpu - 1)) },
  ];
}
