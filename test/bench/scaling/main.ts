/** Costs of scaling, as lines `metric value unit`. */
import { measureDemandPolling } from './demand-polling.ts';
import { measureRouteChanges } from './route-changes.ts';
import { measureHeldToScaled, measureReadyToAnswer } from './wakes.ts';

const MODELS = 5_000;
const ROUTERS = 10;

const WAKES = 200;
/** Of one pool: usual, and large. */
const FEW_MODELS = 100;
const MANY_MODELS = 500;
/** Each starts an engine. */
const COLD_STARTS = 40;

/** Runs every measurement of this area, one after the other. */
export async function run(signal: AbortSignal): Promise<void> {
  // All models in use at once is the worst case; most of a large cluster sleeps.
  for (const active of [MODELS, MODELS / 50]) {
    const cost = await measureDemandPolling({ routers: ROUTERS, models: active, seconds: 10 }, signal);
    const name = `demand_polling_${MODELS}_models_${active}_active_${ROUTERS}_routers`;
    console.log(`${name}_cpu ${(cost.cpu * 100).toFixed(1)} %`);
    console.log(`${name}_received ${Math.round(cost.bytesPerSecond)} bytes/s`);
    console.log(`${name}_reports ${cost.reportsPerSecond.toFixed(1)} 1/s`);
  }
  await measureRouteChanges({ models: MODELS, routers: 2, changes: 200 }, signal);
  const profile = process.env.BENCH_PROFILE;
  await measureHeldToScaled({ models: FEW_MODELS, wakes: WAKES, pauseMs: 100, profile });
  await measureHeldToScaled({ models: MANY_MODELS, wakes: WAKES, pauseMs: 0, together: true, profile });
  await measureReadyToAnswer(COLD_STARTS);
}
