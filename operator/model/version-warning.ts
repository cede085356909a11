import { isBeyondTable, MINORS } from '../vllm/flag-facts.ts';
import { type EngineVersion, formatVersion } from '../vllm/versions.ts';

/** A sentence for users about an engine that is newer than the versions whose flags are known; undefined for the others. */
export function versionWarning(version: EngineVersion): string | undefined {
  if (!isBeyondTable(version)) return undefined;
  return (
    `vLLM ${formatVersion(version)} is newer than v${MINORS.at(-1)}, the newest whose flags are known, so flags and ` +
    'values that are new in it were not checked'
  );
}
