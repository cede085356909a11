/**
 * Whether a model fits the accelerators of a replica, and how much remains for its KV cache. Computed before anything
 * starts.
 */
import type { SpecIssue } from '../values/spec-issue.ts';
import { flagsIn } from '../vllm/extra-args.ts';
import type { KnownModel } from '../vllm/models.ts';
import { isDraftUnknown } from './draft.ts';
import { fittingAccelerators } from './fitting-accelerators.ts';
import { estimateMemory, type MemoryEstimate } from './memory-estimate.ts';
import type { MergedEngine } from './merged-engine.ts';

/** The plan of one replica. Sizes are in GiB on one accelerator. */
export interface MemoryPlan {
  weightsGiB: number;
  /** Activations, CUDA graphs, communication buffers. */
  overheadGiB: number;
  kvCacheGiB: number;
  /** Capacity of the KV cache of the whole replica, in tokens. */
  kvCacheTokens: number;
  /** Context length of the plan. */
  maxModelLen: number;
  /** Sequences of that length that fit into the whole replica at once. */
  sequencesAtFullLength: number;
  /** One sentence for users. */
  summary: string;
  /** Set if the model cannot run even with half the expected overhead. */
  issue?: SpecIssue;
}

/** Flags that change the inputs of the plan. If one is set, there is no plan. */
const UNPLANNED_FLAGS = [
  'cpu-offload-gb',
  'offload-group-size',
  'kv-cache-memory-bytes',
  'hf-overrides',
  'config',
];

function remedyFor(engine: MergedEngine, model: KnownModel, estimate: MemoryEstimate): string {
  const types = fittingAccelerators(engine, model);
  const { count, product, vendor } = engine.accelerator;
  const pool =
    vendor === 'cpu'
      ? 'raise accelerator.cpu.memoryGiB of the InferencePool'
      : types.length > 0
        ? `use a pool of ${types.join(' or ')}`
        : `use a pool with more memory than ${count} x ${product}`;
  const choices = [
    ...(estimate.longest > 0 ? [`set engine.maxModelLen to ${estimate.longest} or less`] : []),
    // vLLM's CPU backend rejects it in combination with chunked prefill, its default.
    ...(vendor !== 'cpu' && estimate.longest > 0 && engine.settings.pagedAttention?.kvCacheDtype === undefined
      ? ['set engine.pagedAttention.kvCacheDtype to fp8']
      : []),
    pool,
    ...(model.format === 'bf16' && engine.settings.quantization === undefined
      ? ['use quantized weights']
      : []),
  ];
  return choices.join(', or ');
}

/** Plans the memory. Undefined if the model is unknown or extraArgs change the inputs of the plan. */
export function planMemory(engine: MergedEngine): MemoryPlan | undefined {
  const { model, accelerator } = engine;
  if (model === undefined) return undefined;
  const flags = flagsIn(engine.extraArgs, engine.version);
  if (UNPLANNED_FLAGS.some((flag) => flags.has(flag))) return undefined;

  const estimate = estimateMemory(engine, model);
  const { weightsGiB, overheadGiB, kvCacheGiB, budgetGiB, maxModelLen, sequenceGiB } = estimate;
  const cacheless = sequenceGiB === 0;
  const sequences = cacheless ? 0 : (kvCacheGiB / sequenceGiB) * engine.dataParallelSize;
  const used = `weights ${gib(weightsGiB)} and overhead ${gib(overheadGiB)} of ${gib(budgetGiB)} usable on each ${accelerator.product}${uncounted(engine, model)}`;
  const plan: MemoryPlan = {
    weightsGiB,
    overheadGiB,
    kvCacheGiB: cacheless ? 0 : kvCacheGiB,
    kvCacheTokens: Math.floor(sequences * maxModelLen),
    maxModelLen,
    sequencesAtFullLength: sequences,
    summary: cacheless
      ? `${used}; the model has no KV cache`
      : `${used}; the KV cache holds ${sequences.toFixed(1)} sequences of ${maxModelLen} tokens`,
  };
  if (estimate.fits) return plan;
  const remedy = remedyFor(engine, model, estimate);
  if (!estimate.hopeless) {
    return { ...plan, summary: `tight: ${used}; ${maxModelLen} tokens may not fit; ${remedy}` };
  }
  const reason = `${used} leave ${gib(kvCacheGiB)} for the KV cache, and one sequence of ${maxModelLen} tokens takes ${gib(sequenceGiB)}`;
  const issue =
    weightsGiB >= budgetGiB
      ? {
          field: 'spec.model.source',
          value: engine.source.argument,
          reason: `the weights take ${gib(weightsGiB)} on each accelerator, and vLLM may use ${gib(budgetGiB)} of each ${accelerator.product}`,
          remedy,
        }
      : { field: 'spec.engine.maxModelLen', value: engine.settings.maxModelLen, reason, remedy };
  return { ...plan, issue };
}

/** What the summary has to say of a draft model that the plan leaves out. */
function uncounted(engine: MergedEngine, model: KnownModel): string {
  if (!isDraftUnknown(engine, model)) return '';
  const { model: draft, method } = engine.settings.speculative ?? {};
  return draft === undefined
    ? ` (without what ${method} takes, which is not known)`
    : ` (without the draft model ${draft}, which is not in the catalog; set engine.speculative.facts)`;
}

function gib(size: number): string {
  return `${size.toFixed(1)} GiB`;
}
