/** Probes and shutdown of engine pods. */
import type { ResolvedEngine } from '../model/resolved-engine.ts';

/** Port of vLLM's HTTP server; containers and Services name it `http`. */
export const ENGINE_PORT = 8000;

/** Time for every router to learn that a pod goes, before the engine hears of it. */
const LEAVE_SECONDS = 10;

/** Time that vLLM takes to end its processes after the last request (15 s on ROCm). */
const TEARDOWN_SECONDS = 15;

/** Short, because a cold start waits for it; refused connections cost nothing. */
const STARTUP_PERIOD_SECONDS = 2;

const HEALTH = { path: '/health', port: 'http' } as const;

/** Startup until the engine has loaded, then readiness, and liveness against hangs: an engine that dies ends its process by itself. */
export function engineProbes(engine: ResolvedEngine): object {
  return {
    startupProbe: {
      httpGet: HEALTH,
      periodSeconds: STARTUP_PERIOD_SECONDS,
      timeoutSeconds: 2,
      failureThreshold: Math.ceil(engine.startupTimeoutSeconds / STARTUP_PERIOD_SECONDS),
    },
    readinessProbe: { httpGet: HEALTH, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 },
    livenessProbe: { httpGet: HEALTH, periodSeconds: 10, timeoutSeconds: 10, failureThreshold: 6 },
  };
}

/** Seconds between the decision to stop a pod and SIGTERM. Engines that abort requests at SIGTERM get them all here. */
function preStopSeconds(engine: ResolvedEngine): number {
  return LEAVE_SECONDS + (engine.drainsItself ? 0 : engine.drainTimeoutSeconds);
}

/** The container's `lifecycle`: leave the routes first. */
export function engineShutdown(engine: ResolvedEngine): object {
  return { preStop: { sleep: { seconds: preStopSeconds(engine) } } };
}

/** The pod's grace period: leave, drain, end. */
export function terminationGraceSeconds(engine: ResolvedEngine): number {
  return LEAVE_SECONDS + engine.drainTimeoutSeconds + TEARDOWN_SECONDS;
}
