/** The arithmetic of the memory plan: how the memory of one accelerator is used. */
import { GIB } from '../values/units.ts';
import { flagFacts } from '../vllm/flag-facts.ts';
import type { KnownModel } from '../vllm/models.ts';
import { committedMemoryGiB } from './host-memory.ts';
import { type KvCacheShape, kvCacheShape } from './kv-cache-shape.ts';
import { type MergedEngine, worldSize } from './merged-engine.ts';
import { weightsPerAccelerator } from './weights.ts';

/** Sizes in GiB on one accelerator. */
export interface MemoryEstimate {
  /** Memory that vLLM may use. */
  budgetGiB: number;
  weightsGiB: number;
  /** Activations, CUDA graphs, communication buffers. */
  overheadGiB: number;
  kvCacheGiB: number;
  /** Longest single sequence that fits, in tokens. */
  longest: number;
  /** Requested context length. For `auto` and for a model without a limit, the longest that fits. */
  maxModelLen: number;
  /** KV cache of one sequence of maxModelLen, in GiB. */
  sequenceGiB: number;
  /**
   * Whether one sequence of maxModelLen fits, with the expected overhead, and with windows only if vLLM certainly uses
   * them.
   */
  fits: boolean;
  /** Whether it does not even fit with half the overhead and all windows. */
  hopeless: boolean;
}

/** Share of the memory that vLLM may use. */
function utilization(engine: MergedEngine): number {
  if (engine.accelerator.vendor === 'cpu') return 1;
  const text = engine.settings.pagedAttention?.gpuMemoryUtilization;
  if (text !== undefined) return Number(text);
  return Number(flagFacts('gpu-memory-utilization', engine.version)?.default);
}

/** vLLM's default for `--max-num-batched-tokens` of an API server (get_batch_defaults). */
function batchedTokens(engine: MergedEngine): number {
  const set = engine.settings.batching?.maxNumBatchedTokens;
  if (set !== undefined) return set;
  const { memoryGiB, largeBatches } = engine.accelerator;
  if (engine.accelerator.vendor === 'cpu') return 2048 * worldSize(engine);
  const base = memoryGiB >= 160 ? 16384 : largeBatches ? 8192 : 2048;
  return engine.settings.performanceMode === 'throughput' ? 2 * base : base;
}

/** Memory of LoRA adapters: rank times inputs and outputs of the seven projections of a layer, about 20 hidden sizes. */
function adaptersGiB(engine: MergedEngine, model: KnownModel): number {
  const lora = engine.settings.lora;
  if (lora === undefined) return 0;
  const hidden = model.attentionHeads * model.headDim;
  const perRank = model.layers * 20 * hidden * 2;
  return ((lora.maxLoras ?? 1) * (lora.maxRank ?? 16) * perRank) / engine.tensorParallelSize / GIB;
}

/** Memory besides weights and KV cache, based on measurements of KAITO and aiconfigurator. */
function overheadGiB(engine: MergedEngine, model: KnownModel, weightsGiB: number): number {
  const wide = batchedTokens(engine) >= 8192 || (model.vocabulary ?? 0) > 200_000;
  const communication = engine.tensorParallelSize > 1 ? 0.4 : 0;
  return 2.5 + 0.05 * weightsGiB + communication + (wide ? 1 : 0) + adaptersGiB(engine, model);
}

function contextLength(engine: MergedEngine, model: KnownModel, longest: number): number {
  const wanted = engine.settings.maxModelLen;
  const most = model.maxPositionEmbeddings ?? longest;
  return wanted === 'auto' ? Math.min(most, longest) : (wanted ?? most);
}

/** vLLM's V1 engine uses utilization x memory - weights - overhead for KV blocks, and one sequence of maxModelLen must fit. */
export function estimateMemory(engine: MergedEngine, model: KnownModel): MemoryEstimate {
  const weightsGiB = weightsPerAccelerator(engine, model);
  const overhead = overheadGiB(engine, model, weightsGiB);
  const onCpu = engine.accelerator.vendor === 'cpu';
  const budgetGiB =
    engine.accelerator.memoryGiB * utilization(engine) - (onCpu ? committedMemoryGiB(engine) : 0);
  const offloads = (engine.settings.pagedAttention?.swapSpaceGiB ?? 0) > 0;
  const shape = (useWindows: boolean): KvCacheShape =>
    kvCacheShape(engine, model, { batchedTokens: batchedTokens(engine), useWindows });
  const expected = shape(!offloads);
  const left = (overheadShare: number): number => {
    const rest = Math.max(0, budgetGiB - weightsGiB - overhead * overheadShare);
    // VLLM_CPU_KVCACHE_SPACE is in whole GiB.
    return onCpu ? Math.floor(rest) : rest;
  };
  const longest = expected.longestSequence(left(1) * GIB);
  const maxModelLen = contextLength(engine, model, longest);
  return {
    budgetGiB,
    weightsGiB,
    overheadGiB: overhead,
    kvCacheGiB: left(1),
    longest,
    maxModelLen,
    sequenceGiB: expected.sequenceBytes(maxModelLen) / GIB,
    fits: longest > 0 && longest >= maxModelLen,
    hopeless: shape(true).longestSequence(left(0.5) * GIB) < Math.max(1, maxModelLen),
  };
}
