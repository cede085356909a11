/** Finds the profile of an engine, and what of it applies. Pure. */
import type { EngineSettings } from '../api/engine-settings.ts';
import type { SpecIssue } from '../values/spec-issue.ts';
import { valueAt } from '../values/value-at.ts';
import {
  ENGINE_PROFILES,
  type EngineProfile,
  PROFILE_NAMES,
  PROFILE_SETTINGS,
} from '../vllm/engine-profiles.ts';
import { hasFlag } from '../vllm/flag-facts.ts';
import { flatten, isGroup } from '../vllm/setting.ts';
import type { EngineVersion } from '../vllm/versions.ts';
import type { NamedProfile } from './named-profile.ts';
import type { EngineInput } from './setting-field.ts';

/** A profile and what became of each of its settings. */
export interface ProfileInForce {
  name: string;
  /** Settings that apply, by path. */
  applied: readonly [path: string, value: unknown][];
  /** Settings for which model or pool have values of their own, and those values. */
  overridden: readonly [path: string, value: unknown][];
  /** Settings that this engine cannot have. */
  omitted: readonly string[];
}

/** The profile that applies, or why there is no such profile; neither if none is named. */
export function findProfile({ pool, model }: EngineInput): { profile?: NamedProfile; issue?: SpecIssue } {
  const name = model.spec.engine?.profile ?? pool.spec.engine?.profile;
  if (name === undefined) return {};
  const own = pool.spec.engine?.profiles ?? [];
  const found = own.find((profile) => profile.name === name);
  if (found) return { profile: { name, isOwn: true, settings: found.settings } };
  if (Object.hasOwn(ENGINE_PROFILES, name)) {
    const { settings }: EngineProfile = ENGINE_PROFILES[name as keyof typeof ENGINE_PROFILES];
    return { profile: { name, isOwn: false, settings } };
  }
  const ofPool = model.spec.engine?.profile === undefined ? ` of InferencePool ${pool.metadata.name}` : '';
  return {
    issue: {
      field: `spec.engine.profile${ofPool}`,
      value: name,
      reason: `InferencePool ${pool.metadata.name} has no profile of this name`,
      remedy: `use ${[...PROFILE_NAMES, ...own.map((profile) => profile.name)].join(', ')}, or add it to spec.engine.profiles of the pool`,
    },
  };
}

/**
 * What of a profile applies to an engine whose typed settings are `typed`. Of the operator's profiles, settings that the
 * engine cannot have are left out; those of a pool's own profile are checked like any other.
 */
export function applyProfile(
  { name, isOwn, settings }: NamedProfile,
  typed: EngineSettings,
  version: EngineVersion,
): ProfileInForce {
  const applied: [string, unknown][] = [];
  const overridden: [string, unknown][] = [];
  const omitted: string[] = [];
  for (const [path, entry] of flatten(PROFILE_SETTINGS)) {
    const value = valueAt(settings, path.split('.'));
    if (isGroup(entry) || value === undefined) continue;
    const set = valueAt(typed, path.split('.'));
    if (set !== undefined) overridden.push([path, set]);
    else if (!isOwn && !canHave(path, entry.flags, typed, version)) omitted.push(path);
    else applied.push([path, value]);
  }
  return { name, applied, overridden, omitted };
}

/** Without chunked prefill, vLLM wants as many tokens in a step as the context has. */
function canHave(
  path: string,
  flags: readonly string[],
  typed: EngineSettings,
  version: EngineVersion,
): boolean {
  if (path === 'batching.maxNumBatchedTokens' && typed.batching?.chunkedPrefill === false) return false;
  return flags.some((flag) => hasFlag(flag, version));
}

/** The settings of a profile that apply, as an object. */
export function appliedSettings({ applied }: ProfileInForce): EngineSettings {
  const settings: Record<string, unknown> = {};
  for (const [path, value] of applied) {
    const [first = '', member] = path.split('.');
    if (member === undefined) settings[first] = value;
    else settings[first] = { ...(settings[first] as object | undefined), [member]: value };
  }
  return settings;
}

/** For users: `Latency (batching.maxNumSeqs 64; overridden: performanceMode "balanced")`. */
export function describeProfile({ name, applied, overridden, omitted }: ProfileInForce): string {
  const list = (settings: readonly [string, unknown][]) =>
    settings.map(([path, value]) => `${path} ${JSON.stringify(value)}`).join(', ');
  const parts = [
    ...(applied.length > 0 ? [list(applied)] : []),
    ...(overridden.length > 0 ? [`overridden: ${list(overridden)}`] : []),
    ...(omitted.length > 0 ? [`not in this engine: ${omitted.join(', ')}`] : []),
  ];
  return `${name} (${parts.length > 0 ? parts.join('; ') : 'sets nothing'})`;
}
