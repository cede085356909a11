/** The price of accelerators by the node of a pod. */
import type { InferencePool } from '../../api/types.ts';
import type { Pod } from '../shared/workloads.ts';

export class PodPrices {
  readonly #nodes: { isSpot: (name: string) => boolean };

  constructor(nodes: { isSpot: (name: string) => boolean }) {
    this.#nodes = nodes;
  }

  /** Price of one accelerator-hour of a pod; undefined if the pool has none. */
  of(pool: InferencePool, { spec: { nodeName } }: Pod): number | undefined {
    const { hourlyCost, spotHourlyCost } = pool.spec.accelerator;
    const isSpot = spotHourlyCost !== undefined && nodeName !== undefined && this.#nodes.isSpot(nodeName);
    const price = isSpot ? spotHourlyCost : hourlyCost;
    return price === undefined ? undefined : Number(price);
  }

  /** Mean price of one accelerator-hour of some pods, as a decimal; undefined if the pool has none. */
  mean(pool: InferencePool, pods: readonly Pod[]): string | undefined {
    const { hourlyCost, spotHourlyCost } = pool.spec.accelerator;
    if (spotHourlyCost === undefined || pods.length === 0) return hourlyCost;
    const prices = pods.map((pod) => this.of(pool, pod) ?? 0);
    return String(prices.reduce((sum, price) => sum + price, 0) / pods.length);
  }
}
