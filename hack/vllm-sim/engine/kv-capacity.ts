/** How many KV blocks fit on an accelerator, with vLLM's errors if none do. */
import { StartError } from '../cli/start-error.ts';
import type { ModelCard } from './model-card.ts';

export interface KvCapacityInput {
  card: ModelCard;
  /** Weights of the whole model in GiB. */
  weightsGiB: number;
  /** Memory per accelerator in GiB. Undefined if unknown; then no configuration is rejected. */
  memoryGiB: number | undefined;
  utilization: number;
  /** Accelerators that hold one copy of the model. */
  worldSize: number;
  blockSize: number;
  maxModelLen: number;
  /** Bytes per KV element relative to 16 bit. */
  kvFactor: number;
  /** `--kv-cache-memory-bytes`, per accelerator. */
  kvCacheBytes: number | undefined;
  /** Activations of the largest step and logits of all sequences, per accelerator in GiB, beyond the usual overhead. */
  activations: { tokensGiB: number; sequencesGiB: number };
  maxNumSeqs: number;
}

const GIB = 2 ** 30;
/** Activations and non-torch memory per accelerator, GiB, as planners assume. */
const OVERHEAD_GIB = 2.5;
const ASSUMED_MEMORY_GIB = 80;

/**
 * Blocks of the KV cache. Throws StartError when the weights or one sequence of `maxModelLen` do not fit
 * (v1/core/kv_cache_utils.py check_enough_kv_cache_memory).
 */
export function kvBlocks(input: KvCapacityInput): number {
  const shards = input.card.kvReplicated ? 1 : input.worldSize;
  const bytesPerBlock = (input.card.kvBytesPerToken * input.kvFactor * input.blockSize) / shards;
  const needed = Math.ceil(input.maxModelLen / input.blockSize) + 1;
  if (input.kvCacheBytes !== undefined) {
    return refuseTooFew(Math.floor(input.kvCacheBytes / bytesPerBlock), needed, bytesPerBlock, input);
  }
  const memory = (input.memoryGiB ?? ASSUMED_MEMORY_GIB) * input.utilization;
  const weights = input.weightsGiB / input.worldSize;
  const { tokensGiB, sequencesGiB } = input.activations;
  const freeGiB = memory - weights - OVERHEAD_GIB - tokensGiB - sequencesGiB;
  const blocks = Math.floor((freeGiB * GIB) / bytesPerBlock);
  if (input.memoryGiB === undefined) {
    return Math.max(blocks, needed * 4);
  }
  if (weights > input.memoryGiB) {
    throw new StartError(
      'torch.OutOfMemoryError',
      `CUDA out of memory. Tried to allocate ${weights.toFixed(2)} GiB. GPU 0 has a total capacity of ` +
        `${input.memoryGiB.toFixed(2)} GiB of which 0 bytes is free.`,
    );
  }
  refuseActivations(input, input.memoryGiB - weights - OVERHEAD_GIB);
  if (blocks <= 0) {
    throw new StartError(
      'ValueError',
      'No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine.',
    );
  }
  return refuseTooFew(blocks, needed, bytesPerBlock, input);
}

/** The dummy run of the largest step, and that of the sampler (v1/worker/gpu_model_runner.py profile_run). */
function refuseActivations({ activations, memoryGiB, maxNumSeqs }: KvCapacityInput, freeGiB: number): void {
  const { tokensGiB, sequencesGiB } = activations;
  if (tokensGiB > 0 && tokensGiB > freeGiB) {
    throw new StartError(
      'torch.OutOfMemoryError',
      `CUDA out of memory. Tried to allocate ${tokensGiB.toFixed(2)} GiB. GPU 0 has a total capacity of ` +
        `${memoryGiB?.toFixed(2)} GiB of which ${Math.max(0, freeGiB).toFixed(2)} GiB is free.`,
    );
  }
  if (sequencesGiB > 0 && tokensGiB + sequencesGiB > freeGiB) {
    throw new StartError(
      'RuntimeError',
      `CUDA out of memory occurred when warming up sampler with ${maxNumSeqs} dummy requests. Please try ` +
        'lowering `max_num_seqs` or `gpu_memory_utilization` when initializing the engine.',
    );
  }
}

function refuseTooFew(blocks: number, needed: number, bytesPerBlock: number, input: KvCapacityInput): number {
  if (blocks >= needed) {
    return blocks;
  }
  const gib = (n: number): string => ((n * bytesPerBlock) / GIB).toFixed(2);
  throw new StartError(
    'ValueError',
    `To serve at least one request with the models's max seq len (${input.maxModelLen}), (${gib(needed)} GiB KV ` +
      `cache is needed, which is larger than the available KV cache memory (${gib(blocks)} GiB). Based on the ` +
      `available memory, the estimated maximum model length is ${Math.max(0, blocks - 1) * input.blockSize}. Try ` +
      'increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine.',
  );
}
