/** Environment variables that vLLM and the simulator read. */
import { StartError } from './start-error.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads a number; `fallback` when unset or empty. Throws StartError when it is no number. */
export function envNumber(env: Environment, name: string, fallback: number): number {
  const text = env[name];
  if (text === undefined || text === '') {
    return fallback;
  }
  const value = Number(text);
  if (Number.isNaN(value)) {
    throw new StartError('ValueError', `invalid literal for ${name}: '${text}'`);
  }
  return value;
}

/** vLLM's booleans: 1/0, and true/false where it is lenient. */
export function envFlag(env: Environment, name: string): boolean {
  return ['1', 'true'].includes((env[name] ?? '').trim().toLowerCase());
}

/** Names of vLLM's own variables that the simulator knows; others starting with VLLM_ are warned of. */
const KNOWN = new Set(
  `VLLM_API_KEY VLLM_HOST_IP VLLM_PORT VLLM_SERVER_DEV_MODE VLLM_ALLOW_RUNTIME_LORA_UPDATING VLLM_CACHE_ROOT
   VLLM_LOGGING_LEVEL VLLM_LOGGING_CONFIG_PATH VLLM_LOGGING_PREFIX VLLM_NO_USAGE_STATS VLLM_DO_NOT_TRACK
   VLLM_HTTP_TIMEOUT_KEEP_ALIVE VLLM_ALLOW_LONG_MAX_MODEL_LEN VLLM_NIXL_SIDE_CHANNEL_HOST
   VLLM_NIXL_SIDE_CHANNEL_PORT VLLM_ENGINE_READY_TIMEOUT_S VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS VLLM_USE_MODELSCOPE
   VLLM_KEEP_ALIVE_ON_ENGINE_DEATH VLLM_USE_RUST_FRONTEND VLLM_RPC_BASE_PATH VLLM_CONFIG_ROOT VLLM_ASSETS_CACHE
   VLLM_WORKER_MULTIPROC_METHOD VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS VLLM_USE_FLASHINFER_MOE_FP8
   VLLM_USE_FLASHINFER_MOE_FP4 VLLM_ROCM_USE_AITER VLLM_ENABLE_CUDA_COMPATIBILITY VLLM_FORCE_AOT_LOAD
   VLLM_ENABLE_STARTUP_PLAN VLLM_ENABLE_RESPONSES_API_STORE VLLM_USAGE_SOURCE VLLM_TARGET_DEVICE VLLM_SLEEP_WHEN_IDLE`
    .trim()
    .split(/\s+/),
);

/**
 * vLLM's checks of its environment: a Service named `vllm` makes VLLM_PORT a URI (refused), unknown VLLM_* names
 * are warned of, or refused with `--fail-on-environ-validation`. Returns the warnings. Throws StartError.
 */
export function checkEnvironment(env: Environment, failOnUnknown: boolean): string[] {
  const port = env.VLLM_PORT;
  if (port !== undefined && !/^\d+$/.test(port)) {
    throw new StartError(
      'ValueError',
      /^[a-z]+:\/\//.test(port)
        ? `VLLM_PORT '${port}' appears to be a URI. This may be caused by a Kubernetes service discovery issue,` +
            'check the warning in: https://docs.vllm.ai/en/stable/serving/env_vars.html'
        : `VLLM_PORT '${port}' must be a valid integer`,
    );
  }
  const unknown = Object.keys(env).filter(
    (name) => name.startsWith('VLLM_') && !name.startsWith('VLLM_SIM_') && !KNOWN.has(name),
  );
  if (failOnUnknown && unknown.length > 0) {
    throw new StartError('ValueError', `Unknown vLLM environment variable detected: ${unknown.join(', ')}`);
  }
  return unknown.map((name) => `Unknown vLLM environment variable detected: ${name}`);
}
