/** Switches that make the engine misbehave, by environment at start and by `POST /sim/control` at run time. */
import { type Environment, envFlag, envNumber } from './cli/environment.ts';

export interface FailureSwitches {
  /** Part of API requests that are answered with `errorStatus`, 0 to 1. */
  errorRate: number;
  errorStatus: number;
  /** Every API request gets 503. */
  unavailable: boolean;
  /** Status of /health and /ping. */
  healthStatus: number;
  /** Requests are accepted and never answered, probes included. */
  hang: boolean;
  /** The engine computes nothing; probes are still answered. */
  stall: boolean;
  /** Connection is cut after this many events of a stream; null for never. */
  cutStreamAfter: number | null;
  /** A stream ends with an error event after this many events; null for never. */
  errorStreamAfter: number | null;
  /** Multiplies the time of every engine step. */
  slowFactor: number;
}

/** How a start may fail: at once, for want of memory, or never ending. */
export type StartFailure = 'exit' | 'oom' | 'hang';

export function readFailures(env: Environment): FailureSwitches {
  return {
    errorRate: envNumber(env, 'VLLM_SIM_ERROR_RATE', 0),
    errorStatus: envNumber(env, 'VLLM_SIM_ERROR_STATUS', 500),
    unavailable: envFlag(env, 'VLLM_SIM_UNAVAILABLE'),
    healthStatus: envNumber(env, 'VLLM_SIM_HEALTH_STATUS', 200),
    hang: envFlag(env, 'VLLM_SIM_HANG'),
    stall: envFlag(env, 'VLLM_SIM_STALL'),
    cutStreamAfter: optional(env, 'VLLM_SIM_CUT_STREAM_AFTER'),
    errorStreamAfter: optional(env, 'VLLM_SIM_ERROR_STREAM_AFTER'),
    slowFactor: envNumber(env, 'VLLM_SIM_SLOW_FACTOR', 1),
  };
}

export function readStartFailure(env: Environment): StartFailure | undefined {
  const text = env.VLLM_SIM_FAIL_START;
  return text === 'exit' || text === 'oom' || text === 'hang' ? text : undefined;
}

function optional(env: Environment, name: string): number | null {
  return env[name] === undefined || env[name] === '' ? null : envNumber(env, name, 0);
}

/** Takes the known switches out of a control request. Throws TypeError naming a field that is unknown or of a wrong type. */
export function mergeFailures(
  now: FailureSwitches,
  change: Readonly<Record<string, unknown>>,
): FailureSwitches {
  const known: ReadonlyMap<string, unknown> = new Map(Object.entries(now));
  for (const [name, value] of Object.entries(change)) {
    const nullable = name === 'cutStreamAfter' || name === 'errorStreamAfter';
    const expected = nullable ? 'number' : typeof known.get(name);
    if (!known.has(name) || (typeof value !== expected && !(nullable && value === null))) {
      throw new TypeError(`unknown or malformed switch ${name}: ${JSON.stringify(value)}`);
    }
  }
  return { ...now, ...change };
}
