/** Sets up the recording of usage: permissions and dependencies. */
import { type Key, keyOf } from '../../kube/key.ts';
import { OWN, type Permission, READ } from '../../kube/permission.ts';
import { CONFIG_MAPS, PODS } from '../../kube/resource-types.ts';
import type { Bucket } from '../../usage/bucket.ts';
import { addedUsage } from '../../usage/windows.ts';
import type { OperatorContext } from '../shared/context.ts';
import type { NamespaceBudgets } from './namespace-budgets.ts';
import { RouterCounts, type RouterCountsOptions } from './router-counts.ts';
import { UsageCounters } from './usage-counters.ts';
import { UsageObserver, type UsageObserverOptions } from './usage-observer.ts';
import { UsageRecorder } from './usage-recorder.ts';
import type { UsageStatuses } from './usage-statuses.ts';

export const USAGE_PERMISSIONS: readonly Permission[] = [
  { type: PODS, verbs: READ },
  { type: CONFIG_MAPS, verbs: OWN },
];

/** Dependencies that other controllers own, and the statuses, which this one writes. */
export type UsageDependencies = Pick<
  UsageObserverOptions,
  'resolutions' | 'acceptance' | 'prices' | 'peaks' | 'coldStarts'
> & {
  usage: UsageStatuses;
  budgets: NamespaceBudgets;
} & Pick<RouterCountsOptions, 'usageOf'>;

export function setupUsage(
  context: OperatorContext,
  { usage: statuses, budgets, usageOf, ...dependencies }: UsageDependencies,
): UsageRecorder {
  const { registry, state } = context;
  const counters = new UsageCounters(registry, state.models.store);
  const recorder: UsageRecorder = new UsageRecorder({
    ...context,
    observer: new UsageObserver({ ...context, ...dependencies }),
    counts: new RouterCounts({ state, usageOf }),
    onRound: (pool, changes) => {
      const added: [Key, Bucket][] = [];
      for (const { before, after } of changes) {
        for (const [name, more] of addedUsage(before, after)) {
          counters.add(keyOf(pool), { namespace: after.namespace, name }, more);
          added.push([`${after.namespace}/${name}`, more]);
        }
      }
      statuses.update(pool, recorder.ledgers(pool), added);
      budgets.update(pool, recorder.ledgers(pool));
    },
  });
  return recorder;
}
