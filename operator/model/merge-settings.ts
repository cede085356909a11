import type { EnvVar } from '../api/common.ts';
import type { EngineSettings } from '../api/engine-settings.ts';
import { matchFlag } from '../vllm/flags.ts';
import { isGroup, type SettingTree } from '../vllm/setting.ts';
import { SETTINGS } from '../vllm/settings.ts';
import { flagName } from '../vllm/typed-flags.ts';
import { PINNED_VERSION } from '../vllm/versions.ts';

interface Named {
  name: string;
}

/** Merges lists by name. A later level replaces an item of an earlier one; the order stays. */
function mergeByName<T extends Named>(...levels: readonly (readonly T[] | undefined)[]): T[] {
  const byName = new Map<string, T>();
  for (const item of levels.flatMap((level) => level ?? [])) byName.set(item.name, item);
  return [...byName.values()];
}

/** Merges environment variables by name. */
export function mergeEnv(...levels: readonly (readonly EnvVar[] | undefined)[]): EnvVar[] {
  return mergeByName(...levels);
}

/**
 * The flag that an argument sets, normalized over its spellings; undefined if the argument is the value of the previous
 * flag.
 */
function flagOf(argument: string): string | undefined {
  const match = matchFlag(argument, PINNED_VERSION);
  if (match.kind === 'flag') return `--${match.flag.name}`;
  return match.kind === 'value' ? undefined : flagName(argument);
}

/** Positions of the pool's arguments that the model inherits, because it does not set their flags. */
export function inheritedArguments(pool: readonly string[], model: readonly string[]): number[] {
  const set = new Set(model.map(flagOf));
  let current: string | undefined;
  return pool.flatMap((argument, at) => {
    current = flagOf(argument) ?? current;
    return current === undefined || !set.has(current) ? [at] : [];
  });
}

/** Merges the LoRA adapters of a pool and a model by name. */
export function mergeAdapters(
  pool: EngineSettings | undefined,
  model: EngineSettings | undefined,
): NonNullable<NonNullable<EngineSettings['lora']>['adapters']> {
  return mergeByName(pool?.lora?.adapters, model?.lora?.adapters);
}

type Values = Readonly<Record<string, unknown>>;

/** Merges settings of the model over those of the pool, as their table entries define: groups by member, lists by name. */
function mergeTree(tree: SettingTree, pool: Values, model: Values): Values {
  const merged: Record<string, unknown> = { ...pool, ...model };
  for (const [name, entry] of Object.entries(tree)) {
    const [theirs, own] = [pool[name], model[name]];
    if (theirs === undefined || own === undefined) continue;
    if (isGroup(entry)) merged[name] = mergeTree(entry.members, theirs as Values, own as Values);
    else if (entry.merge === 'byName') merged[name] = mergeByName(theirs as Named[], own as Named[]);
  }
  return merged;
}

/**
 * Merges the engine settings of a model over those of its pool: typed settings by their table entries, `env` by name,
 * `extraArgs` by flag. A model that sets an image inherits neither `version` nor `command`, which belong to the pool's
 * image.
 */
export function mergeSettings(
  pool: EngineSettings | undefined,
  model: EngineSettings | undefined,
): EngineSettings {
  if (pool === undefined || model === undefined) return { ...pool, ...model };
  const merged = mergeTree(SETTINGS, pool, model) as EngineSettings;
  if (model.image !== undefined) {
    if (model.version === undefined) delete merged.version;
    if (model.command === undefined) delete merged.command;
  }
  if (pool.env !== undefined && model.env !== undefined) merged.env = mergeEnv(pool.env, model.env);
  if (pool.extraArgs !== undefined && model.extraArgs !== undefined) {
    const inherited = inheritedArguments(pool.extraArgs, model.extraArgs);
    merged.extraArgs = [...inherited.flatMap((at) => pool.extraArgs?.[at] ?? []), ...model.extraArgs];
  }
  return merged;
}
