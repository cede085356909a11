/** Probes and shutdown of engine pods. */
import type { ResolvedEngine } from '../model/resolved-engine.ts';

/** Port of vLLM's HTTP server, which containers and Services name `http`. */
export const ENGINE_PORT = 8000;

/** Time for all routers to remove a terminating pod before the engine is stopped. */
const LEAVE_SECONDS = 10;

/** Time that vLLM takes to stop its processes after the last request (15 s on ROCm). */
const TEARDOWN_SECONDS = 15;

/** Short, because it delays a cold start. Probes that are refused are cheap. */
const STARTUP_PERIOD_SECONDS = 2;

const HEALTH = { path: '/health', port: 'http' } as const;

/**
 * Startup probe until the model is loaded, then readiness, and liveness against hangs. An engine that crashes exits by
 * itself.
 */
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

/**
 * Seconds between the decision to stop a pod and SIGTERM. Engines that abort requests on SIGTERM get the whole drain
 * timeout here.
 */
function preStopSeconds(engine: ResolvedEngine): number {
  return LEAVE_SECONDS + (engine.drainsItself ? 0 : engine.drainTimeoutSeconds);
}

/** The container's `lifecycle`, which first lets the routers remove the pod. */
export function engineShutdown(engine: ResolvedEngine): object {
  return { preStop: { sleep: { seconds: preStopSeconds(engine) } } };
}

/** Termination grace period of the pod: removal from the routes, drain, teardown. */
export function terminationGraceSeconds(engine: ResolvedEngine): number {
  return LEAVE_SECONDS + engine.drainTimeoutSeconds + TEARDOWN_SECONDS;
}
