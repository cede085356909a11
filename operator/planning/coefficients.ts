/**
 * Coefficients of the performance formula. Fitted once on published measurements of vLLM (2025-10 to 0.12): Llama-3.1-70B FP8
 * on H100, H200 and B200, and Qwen3-32B BF16 on H100, tensor-parallel sizes 1 to 8, by a robust fit of logarithmic errors.
 * docs/reference/performance.md shows each measurement and its error. Times are in seconds.
 */

/** Share of the memory bandwidth reached when reading weights. Set, because a fit cannot separate it from LAYER_SECONDS. */
export const WEIGHT_BANDWIDTH_SHARE = 0.92;

/** Share of the memory bandwidth reached when reading the KV cache. Set; free fits give 0.74 to 0.78. */
export const KV_BANDWIDTH_SHARE = 0.75;

/** Launches, norms and small kernels of one layer in one step. Fitted. */
export const LAYER_SECONDS = 5.927e-5;

/** Share of the peak arithmetic that prompts reach. Fitted; the same for BF16 and FP8. */
export const PROMPT_COMPUTE_SHARE = 0.6587;

/** Share of the peak arithmetic that decoding reaches. Set; the measurements hardly depend on it. */
export const DECODE_COMPUTE_SHARE = 0.6;

/** Work of the engine for each running sequence in each step. Set. */
export const SEQUENCE_SECONDS = 8e-6;

/** Start of one all-reduce over NVLink. Set, because a fit cannot separate it from LAYER_SECONDS. */
export const ALL_REDUCE_SECONDS = 5e-6;

/** Share of the link bandwidth that the small messages of decoding reach. Fitted. */
export const DECODE_LINK_SHARE = 0.09305;

/** Share of the link bandwidth that the large messages of prompts reach. Set. */
export const PROMPT_LINK_SHARE = 0.45;

/** What mixtures of experts add. */
export interface ExpertCoefficients {
  /** Share of the memory bandwidth reached when reading experts. */
  bandwidthShare: number;
  /** Routing and dispatch of one layer in one step. */
  layerSeconds: number;
  /** Share of the peak arithmetic that prompts reach. */
  computeShare: number;
}

/** By generation, fitted on gpt-oss-120b and MiniMax-M2.5. */
export const EXPERT_COEFFICIENTS = {
  hopper: { bandwidthShare: 0.7723, layerSeconds: 2.637e-5, computeShare: 0.1789 },
  blackwell: { bandwidthShare: 0.8556, layerSeconds: 1.722e-5, computeShare: 0.2505 },
} as const satisfies Record<string, ExpertCoefficients>;

/** Largest share of its capacity at which a replica is planned: above it, queues grow faster than the formula can tell. */
export const MAX_UTILIZATION = 0.8;

/** Least share of a latency target that stays free. Where nine in ten predictions err by more, that share. */
export const MIN_MARGIN = 0.15;
