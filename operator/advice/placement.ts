/** Cheaper accelerators on which the model still fits. */
import type { InferenceModel, InferencePool } from '../api/types.ts';
import type { ResolvedAccelerator } from '../model/resolve-accelerator.ts';
import { resolveModel } from '../model/resolve-model.ts';
import { resolvePool } from '../model/resolve-pool.ts';
import { HOURS_PER_MONTH } from '../planning/demand.ts';
import { InvalidSpecError } from '../values/spec-issue.ts';
import { ACCELERATOR_PEAKS, type AcceleratorPeaks } from '../vllm/accelerator-peaks.ts';
import { ACCELERATOR_PRODUCTS, ACCELERATORS } from '../vllm/accelerators.ts';
import type { Patch, Saving } from './advice.ts';
import { type Price, priceOf } from './price.ts';
import { modelPatch, type Subject } from './subject.ts';
import { MAX_SLOWDOWN } from './thresholds.ts';

/** What the model needs of a replica. */
export interface Need {
  /** Requests that it runs at once. */
  requests: number;
  /** Tokens that its KV cache has to hold. */
  kvCacheTokens: number;
  maxModelLen?: number;
  /** Mean number of ready replicas, which the saving is of. */
  replicas: number;
}

export interface Placement {
  /** Type of the accelerators of a replica, such as `L40S`. */
  type: string;
  /** Where they are, as a part of a sentence. */
  place: string;
  patch: Patch;
  /** How many times longer a token may take, by peak figures. */
  slowdown: number;
  saving: Saving;
}

interface Candidate {
  pool: InferencePool;
  place: string;
  patch: Patch;
}

/**
 * The cheapest placement: in another pool, or with another type in this one if no other model uses it. Undefined if none is
 * cheaper, fits, and is not too much slower, or if prices or figures are not known.
 */
export function cheaperPlacement(subject: Subject, need: Need): Placement | undefined {
  const now = hourlyCost(subject.pool, subject.accelerator, subject);
  const candidates = [...otherPools(subject), ...(subject.isAlone ? otherTypes(subject) : [])];
  const found = candidates.flatMap((candidate) => {
    const placement = now && placementIn(subject, candidate, need, now);
    return placement ? [placement] : [];
  });
  return found.toSorted((a, b) => (b.saving.money ?? 0) - (a.saving.money ?? 0))[0];
}

function otherPools(subject: Subject): Candidate[] {
  const { namespace = 'default' } = subject.model.metadata;
  return subject.otherPools.map((pool) => {
    const { name, namespace: own = 'default' } = pool.metadata;
    const poolRef = { name, namespace: own === namespace ? null : own };
    return { pool, place: `pool ${own}/${name}`, patch: modelPatch(subject, { poolRef }) };
  });
}

/**
 * Types of the same vendor, because images and flags of others differ. A price is of one type, so it is removed. None in a pool
 * that names its nodes, because those have the present type. A pool with a budget keeps at most as many accelerators.
 */
function otherTypes({ pool, accelerator }: Subject): Candidate[] {
  const { namespace = 'default', name } = pool.metadata;
  if (pool.spec.accelerator.nodeSelector !== undefined) return [];
  const mostCount = pool.spec.capacity?.accelerators === undefined ? 8 : accelerator.count;
  return ACCELERATOR_PRODUCTS.flatMap((product) => {
    const { vendor, fastLinks } = ACCELERATORS[product];
    if (vendor !== accelerator.vendor) return [];
    const counts = fastLinks ? [1, 2, 4, 8].filter((count) => count <= mostCount) : [1];
    return counts.map((count): Candidate => {
      const type = count === 1 ? product : `${product}x${count}`;
      const { hourlyCost: _, ...kept } = pool.spec.accelerator;
      return {
        pool: { ...pool, spec: { ...pool.spec, accelerator: { ...kept, type } } },
        place: 'this pool, which no other model uses',
        patch: {
          kind: 'InferencePool',
          namespace,
          name,
          spec: { accelerator: { type, ...(pool.spec.accelerator.hourlyCost && { hourlyCost: null }) } },
        },
      };
    });
  });
}

function placementIn(
  subject: Subject,
  { pool, place, patch }: Candidate,
  need: Need,
  now: Price,
): Placement | undefined {
  const resolution = resolvedIn(pool, withLength(subject.model, need.maxModelLen));
  const { accelerator, memory, fault, engine } = resolution ?? {};
  if (!accelerator || !memory || !engine || fault) return undefined;
  const slowdown = slowdownOf(subject.accelerator, accelerator);
  const price = hourlyCost(pool, accelerator, subject);
  if (slowdown === undefined || slowdown > MAX_SLOWDOWN || !price) return undefined;
  // Requests that take longer are in flight for longer.
  const fits =
    memory.kvCacheTokens >= need.kvCacheTokens * slowdown && engine.capacity >= need.requests * slowdown;
  const saved = (now.perAcceleratorHour - price.perAcceleratorHour) * need.replicas * HOURS_PER_MONTH;
  if (!fits || saved <= 0) return undefined;
  return {
    type: pool.spec.accelerator.type,
    place,
    patch,
    slowdown,
    saving: {
      acceleratorHours:
        Math.max(0, subject.accelerator.count - accelerator.count) * need.replicas * HOURS_PER_MONTH,
      money: saved,
      isEstimate: now.isHint || price.isHint,
    },
  };
}

function withLength(model: InferenceModel, maxModelLen: number | undefined): InferenceModel {
  if (maxModelLen === undefined) return model;
  return { ...model, spec: { ...model.spec, engine: { ...model.spec.engine, maxModelLen } } };
}

function resolvedIn(pool: InferencePool, model: InferenceModel) {
  try {
    return resolveModel(resolvePool(pool), model);
  } catch (error) {
    if (!(error instanceof InvalidSpecError)) throw error;
    return undefined;
  }
}

/**
 * Price of one replica for an hour. A hint is in US dollars, so beside a price of the pool only its ratio to the hint of the
 * present accelerators counts.
 */
function hourlyCost(
  pool: InferencePool,
  accelerator: ResolvedAccelerator,
  { pool: present, accelerator: used }: Subject,
): Price | undefined {
  const price = priceOf(pool, accelerator.hourlyCostHint);
  if (!price) return undefined;
  const perReplica = price.perAcceleratorHour * accelerator.count;
  const stated = present.spec.accelerator.hourlyCost;
  if (!price.isHint || stated === undefined) return { ...price, perAcceleratorHour: perReplica };
  if (used.hourlyCostHint === undefined) return undefined;
  const ratio = Number(stated) / Number(used.hourlyCostHint);
  return { perAcceleratorHour: perReplica * ratio, isHint: true };
}

/** By memory bandwidth, which bounds the time of a token, and by arithmetic, which bounds that of a prompt. */
function slowdownOf(from: ResolvedAccelerator, to: ResolvedAccelerator): number | undefined {
  const [old, next] = [peaksOf(from), peaksOf(to)];
  if (!old || !next) return undefined;
  const ratio = (field: 'memoryGBps' | 'bf16Tflops') => (old[field] * from.count) / (next[field] * to.count);
  return Math.max(1, ratio('memoryGBps'), ratio('bf16Tflops'));
}

function peaksOf({ product }: ResolvedAccelerator): AcceleratorPeaks | undefined {
  return product === 'custom' || product === 'CPU' ? undefined : ACCELERATOR_PEAKS[product];
}
