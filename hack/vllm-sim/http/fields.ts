/** Reading fields of a request body as pydantic does in its lax mode. */
import { badSchema } from './api-error.ts';

export type Body = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is Body {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

export function text(body: Body, name: string): string | undefined {
  const value = body[name];
  if (value === undefined || value === null) {
    return undefined;
  }
  if (typeof value !== 'string') {
    throw badSchema('string_type', [name], 'Input should be a valid string', value);
  }
  return value;
}

export function number(body: Body, name: string): number | undefined {
  const value = body[name];
  if (value === undefined || value === null) {
    return undefined;
  }
  const read = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof read !== 'number' || Number.isNaN(read)) {
    throw badSchema(
      'float_parsing',
      [name],
      'Input should be a valid number, unable to parse string as a number',
      value,
    );
  }
  return read;
}

export function integer(body: Body, name: string): number | undefined {
  const value = body[name];
  if (value === undefined || value === null) {
    return undefined;
  }
  const read = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof read !== 'number' || !Number.isInteger(read)) {
    throw typeof read === 'number' && !Number.isNaN(read)
      ? badSchema(
          'int_from_float',
          [name],
          'Input should be a valid integer, got a number with a fractional part',
          value,
        )
      : badSchema(
          'int_parsing',
          [name],
          'Input should be a valid integer, unable to parse string as an integer',
          value,
        );
  }
  return read;
}

export function flag(body: Body, name: string): boolean | undefined {
  const value = body[name];
  if (value === undefined || value === null) {
    return undefined;
  }
  if (typeof value === 'boolean') {
    return value;
  }
  if (value === 'true' || value === 1 || value === 'false' || value === 0) {
    return value === 'true' || value === 1;
  }
  throw badSchema(
    'bool_parsing',
    [name],
    'Input should be a valid boolean, unable to interpret input',
    value,
  );
}

export function record(body: Body, name: string): Body | undefined {
  const value = body[name];
  if (value === undefined || value === null) {
    return undefined;
  }
  if (!isRecord(value)) {
    throw badSchema('dict_type', [name], 'Input should be a valid dictionary', value);
  }
  return value;
}

/** A required field. */
export function required(body: Body, name: string): unknown {
  const value = body[name];
  if (value === undefined) {
    throw badSchema('missing', [name], 'Field required', body);
  }
  return value;
}

/** A string or a list of strings, as `stop` is. */
export function texts(body: Body, name: string): string[] {
  const value = body[name];
  if (value === undefined || value === null) {
    return [];
  }
  if (!Array.isArray(value) && typeof value !== 'string') {
    throw badSchema('string_type', [name], 'Input should be a valid string', value);
  }
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((item, i) => {
    if (typeof item !== 'string') {
      throw badSchema('string_type', [name, i], 'Input should be a valid string', item);
    }
    return item;
  });
}
