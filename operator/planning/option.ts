/** One way to serve a load: a number of replicas on one type of accelerator, with settings, predictions and price. */

import { ACCELERATORS } from '../vllm/accelerators.ts';
import type { WeightFormat } from '../vllm/model-facts.ts';
import { MAX_UTILIZATION } from './coefficients.ts';
import { type Demand, HOURS_PER_MONTH } from './demand.ts';
import { fewest } from './fewest.ts';
import type { Load } from './load.ts';
import type { EnginePerformance, Performance } from './performance.ts';
import type { Replica, ReplicaSpec } from './replica.ts';
import { spareReplicas } from './spare-replicas.ts';
import { judge, type Latency, latencyOf, missedTargets, usedShare, type Verdict } from './verdict.ts';

/** Most replicas of a plan: beyond, a load is not for one pool. */
const MAX_REPLICAS = 10_000;

/** A plan for one type of accelerator. Rates and latency are those at the peak, while no spare replica helps. */
export interface Option {
  /** As `accelerator.type` of a pool. */
  accelerator: string;
  product: ReplicaSpec['product'];
  verdict: Verdict;
  /** Targets that this type cannot meet with any number of replicas. */
  missed: string[];
  /** Largest share of a target that one request alone takes: above 1, the target cannot be met. */
  leastUsedShare: number;
  replicas: number;
  /** How many of them are spare. */
  spareReplicas: number;
  settings: {
    tensorParallelSize: number;
    maxModelLen: number;
    maxNumSeqs: number;
    maxNumBatchedTokens: number;
    quantization?: string;
    kvCacheDtype?: string;
  };
  weightFormat: WeightFormat;
  predicted: Latency & {
    /** Of all replicas that are not spare, at the planned utilization of the hardware. */
    capacityRequestsPerSecond: number;
    capacityOutputTokensPerSecond: number;
    /** Sequences that run at once in a replica. */
    running: number;
    /** Share of the capacity at the peak. */
    utilization: number;
  };
  price: { perAcceleratorHour: number; isHint: boolean };
  monthlyCost: number;
  costPerMillionTokens: number;
  /** How far the prediction is to be trusted, or the measurement that is in its place. */
  formulaError: string;
  /** Times and capacity were measured, not predicted. */
  isMeasured: boolean;
}

export type RunningReplica = Extract<Replica, { kind: 'runs' }>;

interface Inputs {
  load: Load;
  demand: Demand;
  performance: EnginePerformance;
  /** How far it is to be trusted, as a sentence, and the share of each latency target that so has to stay free. */
  error: { text: string; margin: number };
}

/** Sizes a replica for a load; undefined if it takes too many of them. */
export function sizeOption(
  replica: RunningReplica,
  { load, demand, performance: model, error }: Inputs,
): Option | undefined {
  const peak = demand.peakRequestsPerSecond;
  const at = (replicas: number): Performance => model.atRate(peak / replicas);
  const verdictAt = (replicas: number): Verdict => judge(latencyOf(at(replicas), load), load, error.margin);
  const least = Math.max(1, Math.ceil(peak / (MAX_UTILIZATION * model.capacity)));
  // A replica that serves one request at a time is as fast as any can be.
  const unloaded = model.atRate(Number.MIN_VALUE);
  const alone = latencyOf(unloaded, load);
  const verdict = judge(alone, load, error.margin);
  const needed =
    verdict === 'misses' ? least : fewest(least, MAX_REPLICAS, (replicas) => verdictAt(replicas) === verdict);
  if (needed === undefined || needed > MAX_REPLICAS) return undefined;
  return {
    ...priceOf(replica.spec, needed, load, demand),
    ...settingsOf(replica),
    verdict,
    missed: verdict === 'misses' ? missedTargets(alone, load) : [],
    leastUsedShare: usedShare(alone, load),
    predicted: {
      ...latencyOf(at(needed), load),
      capacityRequestsPerSecond: needed * model.capacity,
      capacityOutputTokensPerSecond: needed * model.capacity * load.outputTokens,
      running: at(needed).running,
      utilization: at(needed).utilization,
    },
    formulaError: error.text,
    isMeasured: unloaded.isMeasured ?? false,
  };
}

function settingsOf({
  spec,
  format,
}: RunningReplica): Pick<Option, 'accelerator' | 'product' | 'settings' | 'weightFormat'> {
  const { product, count, settings } = spec;
  const { quantization, pagedAttention, batching, maxModelLen } = settings;
  return {
    accelerator: count === 1 ? product : `${product}x${count}`,
    product,
    settings: {
      tensorParallelSize: count,
      maxModelLen,
      maxNumSeqs: batching.maxNumSeqs,
      maxNumBatchedTokens: batching.maxNumBatchedTokens,
      ...(quantization !== undefined && { quantization }),
      ...(pagedAttention?.kvCacheDtype !== undefined && { kvCacheDtype: pagedAttention.kvCacheDtype }),
    },
    weightFormat: format,
  };
}

function priceOf(
  { product, count }: ReplicaSpec,
  needed: number,
  load: Load,
  demand: Demand,
): Pick<Option, 'replicas' | 'spareReplicas' | 'price' | 'monthlyCost' | 'costPerMillionTokens'> {
  const { availability, replicaAvailability } = load;
  const asked =
    availability === undefined ? 0 : spareReplicas(needed, availability / 100, replicaAvailability / 100);
  const spare = Math.max(load.spareReplicas, asked);
  const own = load.prices[product];
  const perAcceleratorHour = own ?? Number(ACCELERATORS[product].hourlyCostHint);
  const monthlyCost = (needed + spare) * count * perAcceleratorHour * HOURS_PER_MONTH;
  return {
    replicas: needed + spare,
    spareReplicas: spare,
    price: { perAcceleratorHour, isHint: own === undefined },
    monthlyCost,
    costPerMillionTokens: monthlyCost / (demand.tokensPerMonth / 1e6),
  };
}
