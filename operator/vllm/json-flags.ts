/** The flags of `vllm serve` whose value is JSON: dictionaries and the configurations that vLLM validates as JSON. */

import type { SpecIssue } from '../values/spec-issue.ts';
import { matchFlag } from './flags.ts';
import type { EngineVersion } from './versions.ts';

/** An example of each, by long name without dashes. */
export const JSON_FLAGS: ReadonlyMap<string, string> = new Map([
  ['additional-config', '{"key":"value"}'],
  ['attention-config', '{"backend":"FLASH_ATTN"}'],
  ['compilation-config', '{"mode":3}'],
  ['default-chat-template-kwargs', '{"enable_thinking":false}'],
  ['default-mm-loras', '{"image":"org/adapter"}'],
  ['ec-transfer-config', '{"ec_role":"ec_both"}'],
  ['eplb-config', '{"window_size":1000}'],
  ['hf-overrides', '{"max_position_embeddings":65536}'],
  ['kv-events-config', '{"enable_kv_cache_events":true,"publisher":"zmq"}'],
  ['kv-transfer-config', '{"kv_connector":"NixlConnector","kv_role":"kv_both"}'],
  ['limit-mm-per-prompt', '{"image":2}'],
  ['media-io-kwargs', '{"video":{"num_frames":32}}'],
  ['mm-processor-kwargs', '{"num_crops":4}'],
  ['model-loader-extra-config', '{"concurrency":16}'],
  ['override-generation-config', '{"temperature":0.6}'],
  ['pooler-config', '{"pooling_type":"MEAN"}'],
  ['structured-outputs-config', '{"backend":"xgrammar"}'],
]);

/** `3` is short for a whole configuration here. */
const TAKES_NUMBERS = 'compilation-config';

function isJson(name: string, text: string): boolean {
  // vLLM's parser reads both as not set.
  if (text === '' || text === 'None') return true;
  try {
    const value: unknown = JSON.parse(text);
    if (name === TAKES_NUMBERS && typeof value === 'number') return true;
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** Issues of JSON values that vLLM would refuse at start; `field` names an argument. Single keys (`--flag.key=value`) are not JSON and pass. */
export function checkJsonFlags(
  extraArgs: readonly string[],
  version: EngineVersion,
  field: (at: number) => string,
): SpecIssue[] {
  return extraArgs.flatMap((argument, at): SpecIssue[] => {
    const match = matchFlag(argument, version);
    if (match.kind !== 'flag') return [];
    const { name } = match.flag;
    const example = JSON_FLAGS.get(name);
    const [key = '', ...rest] = argument.split('=');
    if (example === undefined || key.includes('.')) return [];
    const inline = rest.length > 0;
    const next = extraArgs[at + 1];
    const text = inline ? rest.join('=') : next;
    // A missing value is another check's business.
    if (text === undefined || (!inline && matchFlag(text, version).kind !== 'value')) return [];
    if (isJson(name, text)) return [];
    return [
      {
        field: field(inline ? at : at + 1),
        value: inline ? argument : text,
        reason: `--${name} takes JSON, an object in braces with keys in double quotes`,
        remedy: `write it such as '--${name}=${example}', or one key such as --${name}.key=value`,
      },
    ];
  });
}
