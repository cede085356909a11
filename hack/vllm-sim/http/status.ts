/** Probes, version, load and metrics. */
import type { Exchange } from './exchange.ts';

/** 200 with no body while the core lives, also asleep, paused and draining; 503 once it died. */
export function health(exchange: Exchange): void {
  const { sim } = exchange;
  exchange.send(sim.status === 'dead' ? 503 : sim.failures.healthStatus, undefined, '');
}

export function version(exchange: Exchange): void {
  exchange.json(200, { version: exchange.sim.settings.version });
}

/** Counts only with --enable-server-load-tracking. */
export function serverLoad(exchange: Exchange): void {
  exchange.json(200, { server_load: exchange.sim.settings.loadTracking ? exchange.sim.load : 0 });
}

export function metrics(exchange: Exchange): void {
  exchange.send(200, 'text/plain; version=1.0.0; charset=utf-8', exchange.sim.exposition());
}
