import type { EnvVar } from '../api/common.ts';
import type { EngineSettings } from '../api/engine-settings.ts';

/** Environment variables of several levels: a later one replaces an earlier one of the same name, order is kept. */
export function mergeEnv(...levels: readonly (readonly EnvVar[] | undefined)[]): EnvVar[] {
  const byName = new Map<string, EnvVar>();
  for (const variable of levels.flatMap((level) => level ?? [])) byName.set(variable.name, variable);
  return [...byName.values()];
}

/**
 * A model's engine settings over its pool's, field by field: `pagedAttention`, `batching` and `lora` are merged one
 * level deep, `env` by name. `speculative` and `extraArgs` are replaced whole, since their parts belong together.
 */
export function mergeSettings(
  pool: EngineSettings | undefined,
  model: EngineSettings | undefined,
): EngineSettings {
  const merged: EngineSettings = { ...pool, ...model };
  if (pool === undefined || model === undefined) return merged;
  if (pool.pagedAttention !== undefined && model.pagedAttention !== undefined) {
    merged.pagedAttention = { ...pool.pagedAttention, ...model.pagedAttention };
  }
  if (pool.batching !== undefined && model.batching !== undefined) {
    merged.batching = { ...pool.batching, ...model.batching };
  }
  if (pool.lora !== undefined && model.lora !== undefined) merged.lora = { ...pool.lora, ...model.lora };
  if (pool.env !== undefined && model.env !== undefined) merged.env = mergeEnv(pool.env, model.env);
  return merged;
}
