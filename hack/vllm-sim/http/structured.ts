/** Structured outputs: what a request demands of the answer's form, and the shortest answer of that form. */
import { badSchema, badValue } from './api-error.ts';
import { type Body, isRecord, record } from './fields.ts';
import { sampleOf } from './sample-value.ts';

const FORMATS = ['text', 'json_object', 'json_schema', 'structural_tag'];
const TYPES = new Set(['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']);

/** The answer of a request that demands a form; undefined where it demands none. Throws ApiError 400. */
export function structuredAnswer(body: Body): string | undefined {
  const format = record(body, 'response_format');
  if (format !== undefined) {
    if (typeof format.type !== 'string' || !FORMATS.includes(format.type)) {
      throw badSchema(
        'literal_error',
        ['response_format', 'type'],
        "Input should be 'text', 'json_object' or 'json_schema'",
        format.type,
      );
    }
    if (format.type === 'json_schema') return schemaAnswer(format.json_schema);
    if (format.type === 'json_object') return '{}';
  }
  const demanded = record(body, 'structured_outputs') ?? {};
  if (Array.isArray(demanded.choice)) return String(demanded.choice[0]);
  if (typeof demanded.regex === 'string') return textFor(demanded.regex);
  return demanded.json === undefined || demanded.json === null
    ? undefined
    : JSON.stringify(sampleOf(demanded.json));
}

function schemaAnswer(value: unknown): string {
  if (!isRecord(value)) {
    throw badValue(
      "When response_format type is 'json_schema', the 'json_schema' field must be provided.",
      'response_format',
    );
  }
  const schema = isRecord(value.schema) ? value.schema : {};
  if (typeof schema.type === 'string' && !TYPES.has(schema.type)) {
    throw badValue(
      `Failed to transform json schema into a grammar: [00:00:00] <path>:4944: Unsupported type "${schema.type}"`,
      null,
    );
  }
  return JSON.stringify(sampleOf(schema));
}

/** A text for character classes with a fixed count, as `[0-9]{3}`; for other expressions, `0`. */
function textFor(pattern: string): string {
  try {
    new RegExp(pattern);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw badValue(
      `Failed to transform regex into a grammar: [00:00:00] <path>:83: Regex parsing error at position ${pattern.length + 1}: Unclosed '['`,
      null,
    );
  }
  const [, first = '0', count = '1'] = /^\[(\w)[^\]]*\](?:\{(\d+)\})?$/.exec(pattern) ?? [];
  return first.repeat(Math.min(Number(count), 1000));
}
