import type { EnvVar } from '../api/common.ts';
import type { EngineSettings } from '../api/engine-settings.ts';
import { flagName } from '../api/typed-flags.ts';
import { matchFlag } from '../vllm/flags.ts';
import { PINNED_VERSION } from '../vllm/versions.ts';

/** Items of several levels: a later one replaces an earlier one of the same name, order is kept. */
function mergeByName<T extends { name: string }>(...levels: readonly (readonly T[] | undefined)[]): T[] {
  const byName = new Map<string, T>();
  for (const item of levels.flatMap((level) => level ?? [])) byName.set(item.name, item);
  return [...byName.values()];
}

/** Environment variables of several levels, by name. */
export function mergeEnv(...levels: readonly (readonly EnvVar[] | undefined)[]): EnvVar[] {
  return mergeByName(...levels);
}

/** Which flag an argument sets, the same for all its spellings; undefined for the value of the flag before it. */
function flagOf(argument: string): string | undefined {
  const match = matchFlag(argument, PINNED_VERSION);
  if (match.kind === 'flag') return `--${match.flag.name}`;
  return match.kind === 'value' ? undefined : flagName(argument);
}

/** Positions of the pool's arguments whose flags the model does not set: those it inherits. */
export function inheritedArguments(pool: readonly string[], model: readonly string[]): number[] {
  const set = new Set(model.map(flagOf));
  let current: string | undefined;
  return pool.flatMap((argument, at) => {
    current = flagOf(argument) ?? current;
    return current === undefined || !set.has(current) ? [at] : [];
  });
}

/** Adapters of a pool and a model, by name. */
export function mergeAdapters(
  pool: EngineSettings | undefined,
  model: EngineSettings | undefined,
): NonNullable<NonNullable<EngineSettings['lora']>['adapters']> {
  return mergeByName(pool?.lora?.adapters, model?.lora?.adapters);
}

/**
 * A model's engine settings over its pool's, field by field: `pagedAttention`, `batching` and `lora` are merged one
 * level deep, lists by key: `env` and `lora.adapters` by name, `extraArgs` by flag. `speculative` is replaced whole, since
 * its parts belong together, and so are `image`, `version` and `command`.
 */
export function mergeSettings(
  pool: EngineSettings | undefined,
  model: EngineSettings | undefined,
): EngineSettings {
  const merged: EngineSettings = { ...pool, ...model };
  if (pool === undefined || model === undefined) return merged;
  if (model.image !== undefined) {
    if (model.version === undefined) delete merged.version;
    if (model.command === undefined) delete merged.command;
  }
  if (pool.pagedAttention !== undefined && model.pagedAttention !== undefined) {
    merged.pagedAttention = { ...pool.pagedAttention, ...model.pagedAttention };
  }
  if (pool.batching !== undefined && model.batching !== undefined) {
    merged.batching = { ...pool.batching, ...model.batching };
  }
  if (pool.lora !== undefined && model.lora !== undefined) {
    const adapters = mergeAdapters(pool, model);
    merged.lora = { ...pool.lora, ...model.lora, ...(adapters.length === 0 ? {} : { adapters }) };
  }
  if (pool.env !== undefined && model.env !== undefined) merged.env = mergeEnv(pool.env, model.env);
  if (pool.extraArgs !== undefined && model.extraArgs !== undefined) {
    const kept = new Set(inheritedArguments(pool.extraArgs, model.extraArgs));
    merged.extraArgs = [...pool.extraArgs.filter((_, at) => kept.has(at)), ...model.extraArgs];
  }
  return merged;
}
