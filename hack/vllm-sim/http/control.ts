/** The simulator's own endpoints: failure switches and recent requests. Not part of vLLM. */
import { mergeFailures } from '../failures.ts';
import { ApiError } from './api-error.ts';
import type { Exchange } from './exchange.ts';

export function readControl(exchange: Exchange): void {
  const { sim } = exchange;
  exchange.json(200, {
    status: sim.status,
    failures: sim.failures,
    sleepLevel: sim.sleepLevel,
    running: sim.running,
    waiting: sim.waiting,
    received: sim.received,
    preemptions: sim.engines.reduce((sum, engine) => sum + engine.preemptions, 0),
  });
}

/** Sets switches; `crash` is `exit`, `kill` or `oom`, and answers before it acts. */
export async function writeControl(exchange: Exchange): Promise<void> {
  const { sim } = exchange;
  const { crash, ...switches } = await exchange.readJson();
  try {
    sim.applyFailures(mergeFailures(sim.failures, switches));
  } catch (cause) {
    throw new ApiError(400, 'BadRequestError', String(cause));
  }
  if (crash !== undefined && crash !== 'exit' && crash !== 'kill' && crash !== 'oom') {
    throw new ApiError(400, 'BadRequestError', `unknown crash ${JSON.stringify(crash)}: exit, kill or oom`);
  }
  if (crash !== undefined) {
    exchange.response.once('finish', () => sim.crash(crash));
  }
  readControl(exchange);
}

/** The last API requests, newest last, without credentials and bodies. */
export function recentRequests(exchange: Exchange): void {
  exchange.json(200, exchange.sim.recent);
}
