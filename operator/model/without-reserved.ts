/** The holdings of a pool as if the reservations of one namespace were released. */
import type { Key } from '../kube/key.ts';
import { type Holdings, nameLength } from './holdings.ts';

/** The part of Holdings that a verdict reads. */
export type HoldingsView = Pick<Holdings, 'of' | 'holder' | 'share' | 'replicas'>;

/**
 * A live view of the holdings without the reservations. The totals are computed once, so that any number of claims can be
 * rejected without trying each one.
 * @param kept deleted holders of the namespace
 * @param leftOf replicas that stay charged to a holder while its engines run
 */
export function withoutReserved(
  holdings: Holdings,
  namespace: string,
  kept: readonly Key[],
  leftOf: (key: Key) => number,
): HoldingsView {
  const gone = new Set(kept);
  const freed = { models: 0, replicas: 0, nameLength: 0 };
  for (const key of kept) {
    const { names, replicas } = holdings.of(key) ?? { names: [], replicas: 0 };
    const left = leftOf(key);
    freed.models += left > 0 ? 0 : 1;
    freed.replicas += replicas - left;
    freed.nameLength += nameLength(names);
  }
  return {
    of: (key) => holdings.of(key),
    holder: (name) => {
      const holder = holdings.holder(name);
      return holder !== undefined && gone.has(holder) ? undefined : holder;
    },
    share: (of) => {
      const { models, replicas, nameLength: length } = holdings.share(of);
      if (of !== namespace) return { models, replicas, nameLength: length };
      return {
        models: models - freed.models,
        replicas: replicas - freed.replicas,
        nameLength: length - freed.nameLength,
      };
    },
    get replicas() {
      return holdings.replicas - freed.replicas;
    },
  };
}
