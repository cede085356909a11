/** Shows models and pools in the metrics of the leader. Others would show the same once more. */
import { aborted } from '../../kube/abort.ts';
import { keyOf } from '../../kube/key.ts';
import type { Runnable } from '../../kube/manager.ts';
import type { AcceptanceCache } from '../acceptance/acceptance-cache.ts';
import type { OperatorContext } from '../shared/context.ts';
import type { NamespaceBudgets } from '../usage/namespace-budgets.ts';
import { showModels } from './model-gauges.ts';
import { showPools } from './pool-gauges.ts';

export function setupGauges(
  { registry, state }: OperatorContext,
  { acceptance, budgets }: { acceptance: AcceptanceCache; budgets: Pick<NamespaceBudgets, 'used'> },
): Runnable {
  return {
    name: 'gauges',
    async run(signal) {
      const hides = [
        showModels(registry, () => state.models.store.list()),
        showPools(registry, {
          pools: () => state.pools.store.list(),
          models: (pool) => state.models.store.byIndex('byPool', keyOf(pool)),
          charged: (pool) => acceptance.charged(pool),
          budgets: (pool) => budgets.used(pool),
        }),
      ];
      await aborted(signal);
      for (const hide of hides) hide();
    },
  };
}
