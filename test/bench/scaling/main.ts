/** Costs of scaling, as lines `metric value unit`. */
import { measureDemandPolling } from './demand-polling.ts';
import { measureHeldToScaled, measureReadyToAnswer } from './wakes.ts';

const MODELS = 5_000;
const ROUTERS = 10;

const WAKES = 200;
const WAKES_AT_ONCE = 500;
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
  await measureHeldToScaled(WAKES, WAKES_AT_ONCE);
  await measureReadyToAnswer(COLD_STARTS);
}
