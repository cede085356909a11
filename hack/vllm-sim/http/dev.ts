/** Endpoints that exist only with VLLM_SERVER_DEV_MODE=1. None asks for an API key. */
import { ApiError } from './api-error.ts';
import type { Exchange } from './exchange.ts';

export async function sleep(exchange: Exchange): Promise<void> {
  requireSleepMode(exchange);
  const { query } = exchange;
  await exchange.sim.sleep(Number(query.get('level') ?? '1'), query.get('mode') ?? 'abort');
  exchange.send(200, undefined, '');
}

export async function wakeUp(exchange: Exchange): Promise<void> {
  requireSleepMode(exchange);
  await exchange.sim.wake();
  exchange.send(200, undefined, '');
}

export function isSleeping(exchange: Exchange): void {
  exchange.json(200, { is_sleeping: exchange.sim.sleepLevel > 0 });
}

export function pauseEngine(exchange: Exchange): void {
  if ((exchange.query.get('mode') ?? 'abort') === 'abort') {
    exchange.sim.abortAll();
  }
  exchange.sim.setPaused(true);
  exchange.json(200, { status: 'paused' });
}

export function resumeEngine(exchange: Exchange): void {
  exchange.sim.setPaused(false);
  exchange.json(200, { status: 'resumed' });
}

export function isPaused(exchange: Exchange): void {
  exchange.json(200, { is_paused: exchange.sim.paused });
}

export function resetPrefixCache(exchange: Exchange): void {
  for (const engine of exchange.sim.engines) {
    engine.pool.reset();
  }
  exchange.send(200, undefined, '');
}

export function serverInfo(exchange: Exchange): void {
  const { model, servedNames, maxModelLen, maxNumSeqs, blockSize, numBlocks } = exchange.sim.settings;
  exchange.json(200, { vllm_config: { model, servedNames, maxModelLen, maxNumSeqs, blockSize, numBlocks } });
}

/** Without --enable-sleep-mode the call fails in the core: an assertion, so 500. */
function requireSleepMode(exchange: Exchange): void {
  if (!exchange.sim.settings.sleepMode) {
    throw new ApiError(
      500,
      'InternalServerError',
      'Sleep mode is not enabled. Start vLLM with --enable-sleep-mode',
    );
  }
}
