/** The engine version that is simulated unless VLLM_SIM_VERSION says otherwise. */
export const DEFAULT_VERSION = '0.28.0';

/** True from a minor version on: answers are known of 0.28 and of 0.32, so that all between count as the older. */
export function isRecent(version: string): boolean {
  return Number(version.split('.')[1] ?? 0) >= 32;
}
