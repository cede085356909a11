/** The engine version that is simulated unless VLLM_SIM_VERSION says otherwise. */
export const DEFAULT_VERSION = '0.28.0';

/** True from 0.32 on. Recordings exist for 0.28 and 0.32; versions between them behave like 0.28. */
export function isRecent(version: string): boolean {
  return Number(version.split('.')[1] ?? 0) >= 32;
}
