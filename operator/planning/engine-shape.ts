/** What the performance formula needs to know of a model in an engine. */
import { expertShare, weightBytes } from '../model/weights.ts';
import type { WeightFormat } from '../vllm/model-facts.ts';
import type { KnownModel } from '../vllm/models.ts';
import type { EngineShape } from './performance.ts';

/** Settings and memory of one replica. */
export interface EngineMemory {
  weightFormat: WeightFormat;
  /** Bytes of one number in the KV cache. */
  kvValueBytes: number;
  /** Tokens that the KV cache holds. */
  kvCacheTokens: number;
  tensorParallelSize: number;
  maxNumSeqs: number;
  maxNumBatchedTokens: number;
}

/** The shape of a model. Its hidden size is taken as attention heads times head dimension where it is not known. */
export function engineShape(model: KnownModel, memory: EngineMemory): EngineShape {
  const { layers, attentionHeads, headDim, experts } = model;
  const hidden = model.hidden ?? attentionHeads * headDim;
  const embeddings = model.tiedEmbeddings ? 0 : (model.vocabulary ?? 0) * hidden;
  const total = model.parametersBillions * 1e9;
  const active = experts ? experts.activeBillions * 1e9 : total;
  const bytes = weightBytes(model, memory.weightFormat);
  const routed = expertShare(model);
  return {
    layers,
    hidden,
    attentionWidth: attentionHeads * headDim,
    kvHeads: model.kvHeads,
    denseBytes: Math.max(0, bytes * (1 - routed) - (embeddings * bytes) / total),
    activeParameters: active - embeddings,
    ...(experts && { experts: { bytes: bytes * routed, count: experts.count, perToken: experts.perToken } }),
    weightFormat: memory.weightFormat,
    kvBytes: kvBytes(model, memory.kvValueBytes),
    tensorParallelSize: memory.tensorParallelSize,
    kvSequences: (tokens) => memory.kvCacheTokens / tokens,
    maxNumSeqs: memory.maxNumSeqs,
    maxNumBatchedTokens: memory.maxNumBatchedTokens,
  };
}

function kvBytes(model: KnownModel, valueBytes: number): (tokens: number) => number {
  const { latent, kvHeads, headDim, sliding } = model;
  const perLayer = valueBytes * (latent ? latent.kvLoraRank + latent.qkRopeHeadDim : 2 * kvHeads * headDim);
  const cached = Math.min(model.cachedLayers ?? model.layers, model.layers);
  const windowed = Math.min(sliding?.layers ?? 0, cached);
  const window = sliding?.window ?? 0;
  return (tokens) => perLayer * ((cached - windowed) * tokens + windowed * Math.min(tokens, window));
}
