/** What goes wrong meanwhile: operators that are killed, routers that are replaced. */
import { sleep } from '../../../operator/kube/clock.ts';
import { PODS } from '../../../operator/kube/resource-types.ts';
import type { World } from '../../e2e/support/world.ts';
import type { Random } from '../../integration/scaling/simulation/random.ts';

export interface TroubleCounts {
  operatorKills: number;
  routerStops: number;
}

/** Kills the operator (SIGKILL) at random moments, and starts the next one a moment later. */
export async function killOperators(
  world: World,
  random: Random,
  counts: TroubleCounts,
  signal: AbortSignal,
): Promise<void> {
  while (await pause(random.between(3_000, 15_000), signal)) {
    await Promise.all(world.operators.map((operator) => operator.stop('SIGKILL')));
    counts.operatorKills += 1;
    await sleep(random.between(0, 1_000));
    world.startOperator();
  }
}

/** Deletes a router pod at random moments, as a drain of its node does. */
export async function stopRouters(
  world: World,
  namespace: string,
  random: Random,
  counts: TroubleCounts,
  signal: AbortSignal,
): Promise<void> {
  while (await pause(random.between(10_000, 30_000), signal)) {
    const routers = await world.pods(namespace, 'router');
    const name = random.pick(routers)?.metadata.name;
    // One at a time, as a disruption budget has it.
    if (name === undefined || routers.length > 2) continue;
    await world.client.delete(PODS, { namespace, name });
    counts.routerStops += 1;
  }
}

/** False when the signal aborted meanwhile. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  await sleep(ms, { signal }).catch(() => {});
  return !signal.aborted;
}
