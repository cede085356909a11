/** Sets up the recording of usage: permissions and dependencies. */
import { OWN, type Permission, READ } from '../../kube/permission.ts';
import { CONFIG_MAPS, PODS } from '../../kube/resource-types.ts';
import type { OperatorContext } from '../shared/context.ts';
import { UsageObserver, type UsageObserverOptions } from './usage-observer.ts';
import { UsageRecorder } from './usage-recorder.ts';

export const USAGE_PERMISSIONS: readonly Permission[] = [
  { type: PODS, verbs: READ },
  { type: CONFIG_MAPS, verbs: OWN },
];

/** Dependencies that other controllers own. */
export type UsageDependencies = Pick<UsageObserverOptions, 'resolutions' | 'acceptance'>;

export function setupUsage(context: OperatorContext, dependencies: UsageDependencies): UsageRecorder {
  const observer = new UsageObserver({ ...context, ...dependencies });
  return new UsageRecorder({ ...context, observer });
}
