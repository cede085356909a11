/** Whether a value is one that vLLM's parser takes for a flag. */
import type { FlagFacts, ValueType } from './flag-facts.ts';
import { nearestName } from './nearest-name.ts';

/** What is wrong with a value, and what to write. */
export interface ValueProblem {
  reason: string;
  remedy: string;
}

/** Examples of JSON, by long name. */
const EXAMPLES: Readonly<Record<string, string>> = {
  'attention-config': '{"backend":"FLASH_ATTN"}',
  'compilation-config': '{"mode":3}',
  'default-chat-template-kwargs': '{"enable_thinking":false}',
  'default-mm-loras': '{"image":"org/adapter"}',
  'ec-transfer-config': '{"ec_role":"ec_both"}',
  'eplb-config': '{"window_size":1000}',
  'hf-overrides': '{"max_position_embeddings":65536}',
  'kv-events-config': '{"enable_kv_cache_events":true,"publisher":"zmq"}',
  'kv-transfer-config': '{"kv_connector":"NixlConnector","kv_role":"kv_both"}',
  'limit-mm-per-prompt': '{"image":2}',
  'media-io-kwargs': '{"video":{"num_frames":32}}',
  'mm-processor-kwargs': '{"num_crops":4}',
  'model-loader-extra-config': '{"concurrency":16}',
  'override-generation-config': '{"temperature":0.6}',
  'pooler-config': '{"pooling_type":"MEAN"}',
  'structured-outputs-config': '{"backend":"xgrammar"}',
};

/** Python's int(), which takes signs and underscores between digits. */
const INT = /^[+-]?\d+(_\d+)*$/;
/** Decimals only with the decimal multiples. */
const DECIMAL_SIZE = /^\d+(?:\.\d+)?[kmgt]$/;
const BINARY_SIZE = /^\d+[KMGT]$/;

function isSize(text: string): boolean {
  return INT.test(text) || DECIMAL_SIZE.test(text) || BINARY_SIZE.test(text);
}

/** Python's float(). */
function isFloat(text: string): boolean {
  const plain = text.replace(/(?<=\d)_(?=\d)/g, '').toLowerCase();
  return (
    /^[+-]?(inf|infinity|nan)$/.test(plain) || (/^[-+.\de]+$/.test(plain) && !Number.isNaN(Number(plain)))
  );
}

const WANTED: Readonly<Record<ValueType, string>> = {
  text: 'text',
  int: 'a whole number',
  float: 'a number',
  size: 'a whole number, perhaps with k, m, g or t for powers of 1000, or K, M, G or T for powers of 1024',
  sizeOrAuto:
    'auto or a whole number, perhaps with k, m, g or t for powers of 1000, or K, M, G or T for powers of 1024',
  json: 'JSON',
  object: 'JSON, an object in braces with keys in double quotes',
  jsonOrText: 'JSON where it is in braces, with keys in double quotes',
};

function jsonType(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  } catch {
    return undefined;
  }
}

/** Numbers of a configuration may have the suffixes of sizes: `{"buffer":80g}`. */
function withoutSuffixes(json: string): string {
  return json.replace(/(\d)[kmgtKMGT](?=[,}\]\s])/g, '$1');
}

function isOfType({ type = 'text', alsoJson = [] }: FlagFacts, value: string): boolean {
  const text = value.trim();
  switch (type) {
    case 'text':
      return true;
    case 'int':
      return INT.test(text);
    case 'float':
      return isFloat(text);
    case 'size':
      return isSize(text);
    case 'sizeOrAuto':
      return isSize(text) || text.toLowerCase() === 'auto';
    case 'json':
      return jsonType(text) !== undefined;
    case 'object': {
      const found = jsonType(withoutSuffixes(text));
      return found === 'object' || (found !== undefined && alsoJson.includes(found));
    }
    case 'jsonOrText':
      return !(text.startsWith('{') && text.endsWith('}')) || jsonType(text) !== undefined;
  }
}

function isAmong(choices: readonly string[], { type, anyCase }: FlagFacts, text: string): boolean {
  if (type === 'int') return choices.some((choice) => Number(choice) === Number(text.replaceAll('_', '')));
  return choices.includes(text) || (anyCase === true && choices.includes(folded(text)));
}

function folded(text: string): string {
  return text.toLowerCase().replaceAll('-', '_');
}

/** All names when there are few; else how many, and the nearest one comes in the remedy. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 24).join(', ');
  return names.length > 24 ? `${shown} and ${names.length - 24} more` : shown;
}

function problemOfName(name: string, text: string, names: readonly string[], version: string): ValueProblem {
  const nearest = nearestName(text, names);
  return {
    reason: `vLLM ${version} takes for --${name} only ${listed(names)}`,
    remedy: nearest === undefined ? 'write one of them' : `write one of them, such as ${nearest}`,
  };
}

/** Of a name that an older vLLM had: most went to plug-ins. */
function problemOfGone(name: string, text: string, version: string, goneSince: string): ValueProblem {
  return {
    reason: `vLLM has no ${text} for --${name} of its own since ${goneSince}, and the engine is ${version}`,
    remedy: 'use another one, or an image that has a plug-in for it',
  };
}

/**
 * What is wrong with one value of a flag. `stock` tells whether the engine has vLLM's own names and no others, such as
 * methods of quantization that a plug-in of the image brings. `version` is for the message, and so is `goneSince`, the minor
 * version from which on vLLM lacks a name that it had.
 */
export function problemOfValue(
  name: string,
  facts: FlagFacts,
  text: string,
  { stock, version, goneSince }: { stock: boolean; version: string; goneSince?: string | undefined },
): ValueProblem | undefined {
  if (facts.none === true && (text === '' || text === 'None')) return undefined;
  if (!isOfType(facts, text)) return problemOfType(name, facts, text);
  const { choices, names } = facts;
  if (choices !== undefined && !isAmong(choices, facts, text))
    return problemOfName(name, text, choices, version);
  if (!stock || names === undefined || text === '' || names.includes(text)) return undefined;
  return goneSince === undefined
    ? problemOfName(name, text, names, version)
    : problemOfGone(name, text, version, goneSince);
}

function problemOfType(name: string, { type = 'text' }: FlagFacts, text: string): ValueProblem {
  const reason = `--${name} takes ${WANTED[type]}`;
  if (type === 'json' || type === 'object' || type === 'jsonOrText') {
    const example = EXAMPLES[name] ?? '{"key":"value"}';
    return {
      reason,
      remedy: `write it such as '--${name}=${example}', or one key such as --${name}.key=value`,
    };
  }
  const number = /^\d+/.exec(text.trim())?.[0];
  const suffixed = (type === 'size' || type === 'sizeOrAuto') && number !== undefined;
  return {
    reason,
    remedy: suffixed ? `write it such as ${number}k or ${number}K` : 'write a number such as 8',
  };
}
