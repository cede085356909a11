/** A setting to vary, such as `engine.batching.maxNumSeqs=64,128,256`. */
import { parse } from 'yaml';
import { z } from 'zod';

export const settingValueSchema = z.union([z.number(), z.boolean(), z.string().max(1024)]);

export type SettingValue = z.output<typeof settingValueSchema>;

export interface SettingRange {
  /** Path in the spec of an InferenceModel. */
  path: string;
  values: readonly SettingValue[];
}

/** What is varied if nothing else is asked for: the two settings that decide how much a step of vLLM computes. */
export const DEFAULT_RANGES: readonly SettingRange[] = [
  { path: 'engine.batching.maxNumSeqs', values: [64, 128, 256] },
  { path: 'engine.batching.maxNumBatchedTokens', values: [4096, 8192, 16_384] },
];

/** Names, joined by dots. Only these parts of a spec change what an engine can take and leave the rest of the model alone. */
const PATH = /^(engine|admission)(\.[a-zA-Z][a-zA-Z0-9]{0,63}){1,7}$/;

/** Reads `path=value,value`. Values are YAML scalars. For an invalid text it returns the reason, as a string. */
export function parseSettingRange(text: string): SettingRange | string {
  const at = text.indexOf('=');
  const path = text.slice(0, at);
  if (at < 1 || !PATH.test(path))
    return 'write the path of a setting below engine or admission and its values, such as engine.batching.maxNumSeqs=64,128';
  const values = text
    .slice(at + 1)
    .split(',')
    .map(scalarOf);
  const known = values.flatMap((value) => value ?? []);
  if (known.length < values.length)
    return `the values of ${path} are numbers, true, false or texts, with commas between them`;
  return { path, values: [...new Set(known)] };
}

function scalarOf(text: string): SettingValue | undefined {
  if (text.trim() === '' || /[\n{}[\]&*!|>#%@`]/.test(text)) return undefined;
  return settingValueSchema.safeParse(parse(text)).data;
}
