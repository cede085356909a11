/** The profiles that a sweep tries: every combination of the values of its settings. */
import { withoutTrailing } from '../kube/without-trailing.ts';
import type { SettingRange, SettingValue } from './setting-range.ts';

/** Settings by their path in the spec. */
export type Settings = Readonly<Record<string, SettingValue>>;

export interface Profile {
  /** Unique in the sweep, and usable in the name of a file. */
  name: string;
  settings: Settings;
}

/** A sweep with more profiles takes days. */
export const MAX_PROFILES = 64;

const SHORT_NAMES: Readonly<Record<string, string>> = {
  'engine.batching.maxNumSeqs': 'seqs',
  'engine.batching.maxNumBatchedTokens': 'tokens',
  'admission.batchWindow': 'window',
};
/** It goes with the window, and would make names long. */
const UNNAMED = 'admission.batchWindowMaxP95';
const LONGEST_NAME = 80;

/** How many profiles the ranges give. */
export function profileCount(ranges: readonly SettingRange[]): number {
  return ranges.reduce((count, { values }) => count * values.length, 1);
}

/** All combinations, the last setting varying fastest, on top of settings that all of them have. */
export function profilesOf(ranges: readonly SettingRange[], fixed: Settings = {}): Profile[] {
  const combinations = ranges.reduce<Settings[]>(
    (found, { path, values }) =>
      found.flatMap((settings) => values.map((value) => ({ ...settings, [path]: value }))),
    [fixed],
  );
  const names = new Set<string>();
  return combinations.map((settings) => {
    const base = nameOf(settings);
    let name = base;
    for (let copy = 2; names.has(name); copy++) name = `${base}-${copy}`;
    names.add(name);
    return { name, settings };
  });
}

function nameOf(settings: Settings): string {
  const named = Object.entries(settings).filter(([path]) => path !== UNNAMED);
  const parts = named.map(([path, value]) => {
    const short = SHORT_NAMES[path] ?? path.slice(path.lastIndexOf('.') + 1);
    return `${short}${typeof value === 'number' || path in SHORT_NAMES ? '' : '-'}${value}`;
  });
  const words = parts
    .join('-')
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  const name = words.filter(Boolean).join('-').slice(0, LONGEST_NAME);
  return name === '' ? 'as-it-is' : withoutTrailing(name, '-');
}
