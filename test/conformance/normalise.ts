import { isMetrics, metricFamilies } from './metric-families.ts';
import type { Answer } from './send.ts';
import { fieldPath, validationSummary } from './validation.ts';

/** What two engines must have in common: an answer without ids, times, and what depends on the weights. */
export interface Observation {
  status: number;
  headers: Record<string, string>;
  body: unknown;
}

/** Headers of a connection or of a moment, and the simulator's own. */
const OWN_HEADERS = new Set(['date', 'connection', 'keep-alive', 'x-vllm-sim-pod']);
/** Fields that name one answer. What stands before the first `-` or `_` is the form of the name, and stays. */
const IDS = new Set(['id', 'item_id', 'request_id', 'response_id', 'call_id', 'system_fingerprint']);
const TIMES = new Set(['created', 'created_at', 'completed_at']);
/** Fields with text that the model writes, or that the tokenizer cuts. */
const TEXTS = new Set(['content', 'text', 'delta', 'arguments', 'token', 'prompt', 'label', 'input']);
/** Numbers and lists of numbers of the model or of the tokenizer. */
const NUMBERS = new Set([
  ...['logprob', 'bytes', 'token_logprobs', 'text_offset', 'tokens', 'token_strs', 'token_ids'],
  ...[
    'prompt_token_ids',
    'top_logprobs',
    'prompt_logprobs',
    'embedding',
    'score',
    'relevance_score',
    'probs',
  ],
  ...['rank', 'decoded_token'],
]);
const COUNTS = new Set([
  'prompt_tokens',
  'total_tokens',
  'input_tokens',
  'cached_tokens',
  'count',
  'created_cache_tokens',
  'cache_read_input_tokens',
  'original_input_tokens',
  'sequence_number',
]);
const OUTPUT_COUNTS = new Set(['completion_tokens', 'output_tokens']);
/** Longer texts are cut: they repeat what the client sent. */
const LONGEST = 400;

/** @param folders folders of this machine, by the name that stands for each */
export function normalise(answer: Answer, folders: Readonly<Record<string, string>>): Observation {
  const headers: Record<string, string> = {};
  for (const [name, value] of answer.headers) {
    const lower = name.toLowerCase();
    if (!OWN_HEADERS.has(lower))
      headers[lower] = lower === 'content-length' ? '<bytes>' : value.replace(/^http:\/\/[\d.:]+/, '<url>');
  }
  let { body } = answer;
  for (const [name, folder] of Object.entries(folders)) body = body.replaceAll(folder, `<${name}>`);
  body = body.replaceAll(/\[\d\d:\d\d:\d\d\]/g, '[<time>]');
  return { status: answer.status, headers, body: normaliseBody(body, headers['content-type'] ?? '') };
}

function normaliseBody(body: string, type: string): unknown {
  // An answer that the model ended itself has a length that depends on the weights.
  const free = /"(?:finish_reason|stop_reason)": ?"(?:stop|tool_calls|end_turn|tool_use)"/.test(body);
  if (type.startsWith('text/event-stream')) return events(body, free);
  if (isMetrics(body)) return metricFamilies(body);
  try {
    const value: unknown = JSON.parse(body);
    return isRecord(value) && 'openapi' in value ? operations(value) : mask(value, '', free);
  } catch {
    return shorten(body);
  }
}

/** Events one by one. Those in a row that look alike count as one: an engine under load sends two tokens at once. */
function events(body: string, free: boolean): unknown[] {
  const all = body.split('\n\n').filter((block) => block !== '');
  const list = all.map((block) => {
    const event: Record<string, unknown> = {};
    for (const line of block.split('\n')) {
      const [name = '', value = ''] = line.split(/: ?(.*)/s);
      event[name] = value.startsWith('{') ? mask(JSON.parse(value), '', free, true) : value;
    }
    return event;
  });
  // Choices of one request come in any order.
  const at = (event: Record<string, unknown>): number => choiceOf(event.data) ?? Number.MAX_SAFE_INTEGER;
  const sorted = list.some((event) => (choiceOf(event.data) ?? 0) > 0)
    ? list.toSorted((a, b) => at(a) - at(b))
    : list;
  const texts = sorted.map((event) => JSON.stringify(event));
  return sorted.filter((_, i) => texts[i] !== texts[i - 1]);
}

function choiceOf(data: unknown): number | undefined {
  const choices = isRecord(data) ? data.choices : undefined;
  const [first] = Array.isArray(choices) ? (choices as unknown[]) : [];
  return isRecord(first) && typeof first.index === 'number' ? first.index : undefined;
}

function mask(value: unknown, key: string, free: boolean, chunk = false): unknown {
  if (value === null || value === undefined || value === '') return value;
  if (NUMBERS.has(key))
    return Array.isArray(value) && key === 'embedding' ? `<${value.length} numbers>` : `<${key}>`;
  if (TIMES.has(key)) return '<time>';
  if (COUNTS.has(key) && typeof value === 'number') return '<count>';
  if (OUTPUT_COUNTS.has(key) && typeof value === 'number' && (free || chunk)) return '<count>';
  if (typeof value === 'string') {
    if (IDS.has(key)) return value.replace(/(?<=[-_]).*|^[0-9a-f]{16,}$/s, '<id>');
    if (key === 'param' && value.startsWith('body.')) return fieldPath(value);
    return TEXTS.has(key) ? '<text>' : (validationSummary(value) ?? shorten(value));
  }
  if (Array.isArray(value) && key === 'data' && typeof value[0] === 'number')
    return `<${value.length} numbers>`;
  if (Array.isArray(value)) return value.map((item) => mask(item, key, free, chunk));
  if (!isRecord(value)) return value;
  const masked: Record<string, unknown> = {};
  // Which document is the best depends on the weights.
  const ranked = 'relevance_score' in value;
  // A number of tokens is exact in a chunk without choices, and in an answer in one piece.
  const running = chunk && !(Array.isArray(value.choices) && value.choices.length === 0);
  for (const [name, field] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
    masked[name] = ranked && name === 'index' ? '<index>' : mask(field, name, free, running);
  }
  return masked;
}

/** What an OpenAPI document offers: `METHOD path`. */
function operations(document: Record<string, unknown>): string[] {
  const paths = isRecord(document.paths) ? document.paths : {};
  return Object.entries(paths)
    .flatMap(([path, item]) => Object.keys(item as object).map((method) => `${method.toUpperCase()} ${path}`))
    .sort();
}

function shorten(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
