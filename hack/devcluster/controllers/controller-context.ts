import type { KubeClient } from '../../../operator/kube/client.ts';
import type { EventRecorder } from '../../../operator/kube/events.ts';
import type { Logger } from '../../../operator/kube/logger.ts';
import type { SharedStores } from './shared-stores.ts';

/** The dependencies of every controller. */
export interface ControllerContext {
  client: KubeClient;
  stores: SharedStores;
  events: EventRecorder;
  log: Logger;
  now: () => Date;
}
