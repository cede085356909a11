/** What accelerators cost: the price of their pool, else the hint of the catalog. */
import type { InferencePool } from '../api/types.ts';
import { HOURS_PER_MONTH } from '../planning/demand.ts';
import type { Saving } from './advice.ts';
import type { Subject } from './subject.ts';

export interface Price {
  perAcceleratorHour: number;
  isHint: boolean;
}

/** The price of a pool; `hint` is that of the catalog. Undefined if there is neither. */
export function priceOf(pool: Pick<InferencePool, 'spec'>, hint: string | undefined): Price | undefined {
  const { hourlyCost } = pool.spec.accelerator;
  if (hourlyCost !== undefined) return { perAcceleratorHour: Number(hourlyCost), isHint: false };
  return hint === undefined ? undefined : { perAcceleratorHour: Number(hint), isHint: true };
}

/** What it saves to hold fewer replicas, by the mean number of them. */
export function savingOf({ accelerator, pool }: Subject, replicas: number): Saving {
  const acceleratorHours = replicas * accelerator.count * HOURS_PER_MONTH;
  const price = priceOf(pool, accelerator.hourlyCostHint);
  return {
    acceleratorHours,
    ...(price && { money: acceleratorHours * price.perAcceleratorHour }),
    isEstimate: price?.isHint ?? false,
  };
}
