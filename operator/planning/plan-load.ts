/** Plans a load: for each accelerator of the catalog how many replicas with which settings, and what they cost. */
import { describeIssue } from '../values/spec-issue.ts';
import { ACCELERATOR_PEAKS, type AcceleratorPeaks } from '../vllm/accelerator-peaks.ts';
import { ACCELERATOR_PRODUCTS, ACCELERATORS, type AcceleratorProduct } from '../vllm/accelerators.ts';
import { findModel, type KnownModel } from '../vllm/models.ts';
import { type Demand, demandOf } from './demand.ts';
import { formulaError } from './formula-error.ts';
import type { Load } from './load.ts';
import { MeasuredPerformance, type Measurement } from './measured-performance.ts';
import { type Option, type RunningReplica, sizeOption } from './option.ts';
import { type EnginePerformance, PerformanceModel } from './performance.ts';
import { type Replica, type ReplicaSpec, resolveReplica } from './replica.ts';

/** Sequences of a step up to which the formula was fitted. */
const USUAL_SEQUENCES = 256;
const USUAL_BATCHED_TOKENS = 8192;

export interface LoadPlan {
  demand: Demand;
  /** One for each product that can be predicted, cheapest first; those that miss targets come last, the nearest first. */
  options: Option[];
  /** Products without an option, and why. */
  notPlanned: { product: AcceleratorProduct; reason: string }[];
  /** The cheapest that meets all targets with the margin, else the cheapest that does so without. */
  cheapest?: Option;
}

const RANKS = { meets: 0, close: 1, misses: 2 } as const;

/**
 * Plans a load that `parseLoad` has checked. Where replicas were measured, that replaces the prediction; `measurementIssue`
 * has checked that they are of such a load.
 */
export function planLoad(load: Load, measurements: readonly Measurement[] = []): LoadPlan {
  const demand = demandOf(load);
  const results = (load.accelerators ?? ACCELERATOR_PRODUCTS).map((product) =>
    planProduct(product, load, demand, measurements),
  );
  const options = results
    .flatMap((result) => ('option' in result ? [result.option] : []))
    .sort(byRankAndCost);
  const [first] = options;
  return {
    demand,
    options,
    notPlanned: results.flatMap((result) => ('reason' in result ? [result] : [])),
    ...(first && first.verdict !== 'misses' && { cheapest: first }),
  };
}

/** By verdict, then by cost; those that miss targets by how near they come. */
function byRankAndCost(a: Option, b: Option): number {
  const missed = a.verdict === 'misses' ? a.leastUsedShare - b.leastUsedShare : 0;
  return RANKS[a.verdict] - RANKS[b.verdict] || missed || a.monthlyCost - b.monthlyCost;
}

type Planned = { option: Option } | { product: AcceleratorProduct; reason: string };

function planProduct(
  product: AcceleratorProduct,
  load: Load,
  demand: Demand,
  measurements: readonly Measurement[],
): Planned {
  const model = findModel(load.model, load.facts);
  if (model === undefined) throw new RangeError(`${load.model} is not in the catalog`);
  const own = measurements.filter((measured) => measured.product === product);
  const refused: string[] = [];
  const options = sizes(model, product, load, own).flatMap((count) => {
    const replica = replicaFor(load, model, product, count);
    const measured = own.find((each) => each.count === count);
    const speed = speedOf(replica, load, model, measured);
    const option =
      typeof speed === 'string' ? undefined : sizeOption(speed.replica, { load, demand, ...speed });
    if (option === undefined)
      refused.push(typeof speed === 'string' ? speed : 'it takes more than 10,000 replicas');
    return option ?? [];
  });
  const [best] = options.sort(byRankAndCost);
  return best === undefined
    ? { product, reason: refused.at(-1) ?? noSize(model, product) }
    : { option: best };
}

interface Speed {
  replica: RunningReplica;
  performance: EnginePerformance;
  error: { text: string; margin: number };
}

/** What is known of the speed of a replica: measured, else predicted; or why nothing is. */
function speedOf(
  replica: Replica,
  load: Load,
  model: KnownModel,
  measured: Measurement | undefined,
): Speed | string {
  const { product } = replica.spec;
  if (measured !== undefined) {
    if (replica.kind === 'refused') return refusalOf(replica, product);
    const { rates, source, promptTokens, outputTokens } = measured;
    const text = `measured at ${rates.length} rates with ${Math.round(promptTokens)} + ${Math.round(outputTokens)} tokens (${source}), with the settings of that engine`;
    return { replica, performance: new MeasuredPerformance(measured), error: { text, margin: 0 } };
  }
  const peaks = ACCELERATOR_PEAKS[product];
  if (peaks === undefined) return 'no peak figures with a source, so nothing can be predicted';
  if (replica.kind === 'refused') return refusalOf(replica, product);
  const obstacle = obstacleOf(replica, load, model, peaks);
  if (obstacle !== undefined) return obstacle;
  const { promptTokens, outputTokens, cachedPromptShare: cachedShare } = load;
  return {
    replica,
    performance: new PerformanceModel(replica.shape, peaks, { promptTokens, outputTokens, cachedShare }),
    error: formulaError(product, model.experts !== undefined),
  };
}

const OVER_PCIE = 'several over PCIe are not predicted, because no measurements to trust are known';

/** Why no size of tensor parallelism was tried. */
function noSize({ attentionHeads }: KnownModel, product: AcceleratorProduct): string {
  return ACCELERATORS[product].fastLinks
    ? `no size of tensor parallelism that may be used divides the ${attentionHeads} attention heads`
    : OVER_PCIE;
}

/** Sizes of tensor parallelism to try. Over PCIe alone there is only one published measurement, of an old engine. */
function sizes(
  model: KnownModel,
  product: AcceleratorProduct,
  { engine }: Load,
  measurements: readonly Measurement[],
): number[] {
  const { fastLinks, maxPerNode } = ACCELERATORS[product];
  const measured = measurements.map(({ count }) => count);
  const all = [1, 2, 4, 8].filter((size) => fastLinks || size === 1 || measured.includes(size));
  const asked =
    engine.tensorParallelSize === undefined ? all : all.filter((size) => size === engine.tensorParallelSize);
  return asked.filter((size) => size <= maxPerNode && model.attentionHeads % size === 0);
}

/** Why the operator does not take a replica. */
function refusalOf({ issues }: Extract<Replica, { kind: 'refused' }>, product: AcceleratorProduct): string {
  const [issue] = issues;
  const more = ACCELERATORS[product].fastLinks ? '' : `; ${OVER_PCIE}`;
  return `${issue ? describeIssue(issue) : 'its memory cannot be planned'}${more}`;
}

/** Why nothing can be predicted of a replica: nobody has measured the like of it. */
function obstacleOf(
  replica: RunningReplica,
  { promptTokens, outputTokens }: Load,
  model: KnownModel,
  peaks: AcceleratorPeaks,
): string | undefined {
  if (replica.shape.kvSequences(promptTokens + outputTokens) < 1)
    return 'its KV cache does not certainly hold one request';
  if (model.experts !== undefined && peaks.experts === undefined)
    return 'no published measurements of mixtures of experts on it are known';
  const { format } = replica;
  if (format === 'int4' || format === 'fp32')
    return `no published measurements with ${format} weights are known`;
  if (format === 'nvfp4' && peaks.fp4Tflops === undefined)
    return 'no published measurements with nvfp4 weights on it are known';
  return undefined;
}

/** A replica with the settings of the load, and as many sequences as its KV cache holds at full length. */
function replicaFor(load: Load, model: KnownModel, product: AcceleratorProduct, count: number): Replica {
  const { engine } = load;
  const spec = specFor(load, model, product, count, engine.maxNumSeqs ?? USUAL_SEQUENCES);
  const replica = resolveReplica(spec);
  if (replica.kind === 'refused' || engine.maxNumSeqs !== undefined) return withSpeculation(replica, load);
  const held = Math.floor(replica.shape.kvSequences(load.promptTokens + load.outputTokens));
  if (held >= USUAL_SEQUENCES) return withSpeculation(replica, load);
  return withSpeculation(resolveReplica(specFor(load, model, product, count, Math.max(1, held))), load);
}

function withSpeculation(replica: Replica, { speculative }: Load): Replica {
  if (replica.kind === 'refused' || speculative === undefined) return replica;
  const { numSpeculativeTokens: proposed, acceptedShare } = speculative;
  return { ...replica, shape: { ...replica.shape, speculation: { proposed, acceptedShare } } };
}

function specFor(
  load: Load,
  model: KnownModel,
  product: AcceleratorProduct,
  count: number,
  maxNumSeqs: number,
): ReplicaSpec {
  const { engine, promptTokens, outputTokens, speculative } = load;
  const { quantization, kvCacheDtype, maxNumBatchedTokens = USUAL_BATCHED_TOKENS } = engine;
  const usual = Math.ceil((2 * (promptTokens + outputTokens)) / 1024) * 1024;
  return {
    source: load.model,
    ...(load.facts && { facts: load.facts }),
    product,
    count,
    settings: {
      maxModelLen: engine.maxModelLen ?? Math.min(usual, model.maxPositionEmbeddings ?? usual),
      batching: { maxNumSeqs, maxNumBatchedTokens: Math.max(maxNumBatchedTokens, maxNumSeqs) },
      ...(quantization !== undefined && { quantization }),
      ...(kvCacheDtype !== undefined && { pagedAttention: { kvCacheDtype } }),
      ...(speculative && {
        speculative: {
          method: 'eagle3',
          // Any name will do: without facts, such a head counts as one layer of the model.
          model: 'hf://example/eagle3-head',
          numSpeculativeTokens: speculative.numSpeculativeTokens,
        },
      }),
    },
  };
}
