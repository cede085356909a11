/** Durations of the simulated engine, in simulated time: divide by nothing, multiply by `scale` for real time. */
import { type Environment, envNumber } from './cli/environment.ts';

export interface SimTiming {
  /** Real seconds per simulated second; 0.01 runs a hundred times faster. */
  scale: number;
  startupSeconds: number;
  prefillOverheadMs: number;
  prefillMsPerToken: number;
  interTokenMs: number;
  /** Step time at `max_num_seqs` running requests, relative to one running request. */
  loadFactor: number;
  /** Added to a step for each further running sequence, whatever `max_num_seqs` is. */
  perSequenceMs: number;
  /** Added to a step at 100 running sequences; grows with the square of their number, so that too many cost throughput. */
  crowdingMs: number;
  /** Mean length of an answer that is not cut by max_tokens. */
  outputTokens: number;
  wakeSeconds: number;
}

/** Defaults are of an 8B model on one H100: about 80 ms to the first token of 256, 12 ms per token after. */
export function readTiming(env: Environment): SimTiming {
  return {
    scale: envNumber(env, 'VLLM_SIM_TIME_SCALE', 1),
    startupSeconds: envNumber(env, 'VLLM_SIM_STARTUP_SECONDS', 10),
    prefillOverheadMs: envNumber(env, 'VLLM_SIM_PREFILL_OVERHEAD_MS', 30),
    prefillMsPerToken: envNumber(env, 'VLLM_SIM_PREFILL_MS_PER_TOKEN', 0.2),
    interTokenMs: envNumber(env, 'VLLM_SIM_INTER_TOKEN_MS', 12),
    loadFactor: envNumber(env, 'VLLM_SIM_LOAD_FACTOR', 2),
    perSequenceMs: envNumber(env, 'VLLM_SIM_PER_SEQUENCE_MS', 0),
    crowdingMs: envNumber(env, 'VLLM_SIM_CROWDING_MS', 0),
    outputTokens: envNumber(env, 'VLLM_SIM_OUTPUT_TOKENS', 48),
    wakeSeconds: envNumber(env, 'VLLM_SIM_WAKE_SECONDS', 2),
  };
}
