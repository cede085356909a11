/** How much KV cache a sequence takes on one accelerator, modelled on vllm/v1/kv_cache_interface.py. */
import type { KnownModel } from '../vllm/models.ts';
import type { MergedEngine } from './merged-engine.ts';

export interface KvCacheShape {
  /** Bytes of a sequence with this number of tokens on one accelerator, in whole blocks. */
  sequenceBytes(tokens: number): number;
  /** Longest sequence that fits into this number of bytes; 0 if none fits. One block is vLLM's null block. */
  longestSequence(bytes: number): number;
}

function bytesPerValue(engine: MergedEngine): number {
  const dtype = engine.settings.pagedAttention?.kvCacheDtype ?? 'auto';
  if (/(nvfp4|int4)/.test(dtype)) return 0.5;
  if (/(fp8|int8)/.test(dtype)) return 1;
  const full = engine.settings.dtype === 'float' || engine.settings.dtype === 'float32';
  return dtype === 'auto' && full ? 4 : 2;
}

/**
 * Bytes of one token in one layer. With fewer key-value heads than tensor-parallel ranks, heads are replicated. A latent
 * cache (MLA) is complete on every rank.
 */
function tokenLayerBytes(engine: MergedEngine, model: KnownModel): number {
  const bytes = bytesPerValue(engine);
  if (model.latent !== undefined) return (model.latent.kvLoraRank + model.latent.qkRopeHeadDim) * bytes;
  return 2 * Math.max(1, model.kvHeads / engine.tensorParallelSize) * model.headDim * bytes;
}

/**
 * The shape for an engine that computes `batchedTokens` per step. Without `useWindows` all layers grow with the sequence,
 * as in vLLM when its hybrid KV cache manager is disabled.
 */
export function kvCacheShape(
  engine: MergedEngine,
  model: KnownModel,
  { batchedTokens, useWindows }: { batchedTokens: number; useWindows: boolean },
): KvCacheShape {
  const block = engine.settings.pagedAttention?.blockSize ?? 16;
  const sliding = useWindows ? model.sliding : undefined;
  const layerBytes = tokenLayerBytes(engine, model);
  const stages = engine.pipelineParallelSize;
  const growing = Math.ceil((model.layers - (sliding?.layers ?? 0)) / stages);
  const windowed = Math.ceil((sliding?.layers ?? 0) / stages);
  const blocks = (tokens: number): number => Math.ceil(tokens / block) * block;
  // Tokens in flight are stored in addition to the window, twice with asynchronous scheduling.
  const window = blocks((sliding?.window ?? 0) + 2 * batchedTokens) + block;
  const sequenceBytes = (tokens: number): number =>
    layerBytes * (growing * blocks(tokens) + windowed * Math.min(blocks(tokens), window));
  const longestSequence = (bytes: number): number => {
    const room = bytes - layerBytes * (growing + windowed) * block;
    const perToken = layerBytes * (growing + windowed);
    if (windowed === 0 || room <= perToken * window)
      return Math.max(0, Math.floor(room / perToken / block) * block);
    return Math.floor((room / layerBytes - windowed * window) / growing / block) * block;
  };
  return { sequenceBytes, longestSequence };
}
