/** What could be held in a pool if what is kept for models of one namespace that are gone were given up. */
import type { Key } from '../kube/key.ts';
import { type Holdings, nameLength } from './holdings.ts';

/** What a verdict asks of holdings. */
export type HoldingsView = Pick<Holdings, 'of' | 'holder' | 'share' | 'replicas'>;

/**
 * The holdings without what is kept, as they are at the moment of each question. Adds up once what would become free, so
 * that any number of claims can be refused without a try for each.
 * @param kept holders of the namespace that are gone
 * @param leftOf replicas that stay charged to one of them while its engines run
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
