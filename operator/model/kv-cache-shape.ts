/** How much KV cache a sequence takes on one accelerator, modelled on vllm/v1/kv_cache_interface.py. */
import { LONGEST_CONTEXT } from '../vllm/model-facts.ts';
import type { KnownModel } from '../vllm/models.ts';
import { draftOf } from './draft.ts';
import type { MergedEngine } from './merged-engine.ts';

export interface KvCacheShape {
  /** Bytes of a sequence with this number of tokens on one accelerator, in whole blocks. */
  sequenceBytes(tokens: number): number;
  /**
   * Longest sequence that fits into this number of bytes; 0 if none fits. One block is vLLM's null block. Without a cache,
   * every sequence fits.
   */
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

/** Tokens of a block: the setting, or vLLM's default. */
function blockTokens({ settings, accelerator }: MergedEngine): number {
  return settings.pagedAttention?.blockSize ?? (accelerator.vendor === 'cpu' ? 128 : 16);
}

/** Bytes of one token in all layers of a pipeline stage that grow with the sequence, and in those that have a window. */
function tokenBytes(
  engine: MergedEngine,
  model: KnownModel,
  { useWindows, stages }: { useWindows: boolean; stages: number },
): { growing: number; windowed: number } {
  const cached = Math.min(model.cachedLayers ?? model.layers, model.layers);
  const sliding = useWindows ? Math.min(model.sliding?.layers ?? 0, cached) : 0;
  const bytes = tokenLayerBytes(engine, model);
  return {
    growing: bytes * Math.ceil((cached - sliding) / stages),
    windowed: bytes * Math.ceil(sliding / stages),
  };
}

/**
 * The shape for an engine that computes `batchedTokens` per step. Without `useWindows` all layers grow with the sequence,
 * as in vLLM when its hybrid KV cache manager is disabled. The layers of a draft model are all in the last stage.
 */
export function kvCacheShape(
  engine: MergedEngine,
  model: KnownModel,
  { batchedTokens, useWindows }: { batchedTokens: number; useWindows: boolean },
): KvCacheShape {
  const block = blockTokens(engine);
  const own = tokenBytes(engine, model, { useWindows, stages: engine.pipelineParallelSize });
  const draft = draftOf(engine, model);
  const drafted = draft && tokenBytes(engine, draft, { useWindows: false, stages: 1 });
  const growing = own.growing + (drafted?.growing ?? 0);
  const { windowed } = own;
  const blocks = (tokens: number): number => Math.ceil(tokens / block) * block;
  // Tokens in flight are stored in addition to the window, twice with asynchronous scheduling, which CPUs do not have.
  const inFlight = batchedTokens * (engine.accelerator.vendor === 'cpu' ? 1 : 2);
  const window = blocks((model.sliding?.window ?? 1) - 1 + inFlight) + block;
  const sequenceBytes = (tokens: number): number =>
    growing * blocks(tokens) + windowed * Math.min(blocks(tokens), window);
  const longestSequence = (bytes: number): number => {
    const perToken = growing + windowed;
    if (perToken === 0) return bytes > 0 ? LONGEST_CONTEXT : 0;
    const room = bytes - perToken * block;
    if (windowed === 0 || room <= perToken * window)
      return Math.max(0, Math.floor(room / perToken / block) * block);
    if (growing === 0) return LONGEST_CONTEXT;
    return Math.floor((room - windowed * window) / growing / block) * block;
  };
  return { sequenceBytes, longestSequence };
}
