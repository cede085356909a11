import type { EventRecorder } from '../../../operator/kube/events.ts';
import { autoscalerController } from './autoscaler-controller.ts';
import { claimBinder } from './claim-binder.ts';
import { claimProtection } from './claim-protection.ts';
import type { ControllerContext } from './controller-context.ts';
import { deploymentController } from './deployment-controller.ts';
import { disruptionController } from './disruption-controller.ts';
import { endpointSliceController } from './endpoint-slice-controller.ts';
import { loadBalancerController } from './load-balancer-controller.ts';
import { replicaSetController } from './replica-set-controller.ts';
import { scheduler } from './scheduler.ts';

/**
 * Runs the controllers and the scheduler of the cluster until the signal is aborted; resolves when they have ended.
 * @param options.schedulerEvents records what the scheduler does, under its own name
 */
export async function startControllers(
  context: ControllerContext,
  options: { autoscalerPeriodMs: number; schedulerEvents: EventRecorder },
  signal: AbortSignal,
): Promise<void> {
  const controllers = [
    deploymentController(context),
    replicaSetController(context),
    scheduler({ ...context, events: options.schedulerEvents }),
    endpointSliceController(context),
    disruptionController(context),
    claimBinder(context),
    claimProtection(context),
    loadBalancerController(context),
    autoscalerController(context, options.autoscalerPeriodMs),
  ];
  await Promise.all(controllers.map((controller) => controller.run(signal)));
}
