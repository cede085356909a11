import { autoscalerController } from './autoscaler-controller.ts';
import { claimBinder } from './claim-binder.ts';
import type { ControllerContext } from './controller-context.ts';
import { deploymentController } from './deployment-controller.ts';
import { disruptionController } from './disruption-controller.ts';
import { endpointSliceController } from './endpoint-slice-controller.ts';
import { loadBalancerController } from './load-balancer-controller.ts';
import { replicaSetController } from './replica-set-controller.ts';
import { scheduler } from './scheduler.ts';

/** Runs the controllers and the scheduler of the cluster until the signal is aborted; resolves when they have ended. */
export async function startControllers(
  context: ControllerContext,
  options: { autoscalerPeriodMs: number },
  signal: AbortSignal,
): Promise<void> {
  const controllers = [
    deploymentController(context),
    replicaSetController(context),
    scheduler(context),
    endpointSliceController(context),
    disruptionController(context),
    claimBinder(context),
    loadBalancerController(context),
    autoscalerController(context, options.autoscalerPeriodMs),
  ];
  await Promise.all(controllers.map((controller) => controller.run(signal)));
}
