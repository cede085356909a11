import { formatQuantity, parseQuantity } from '../../../../operator/values/quantity.ts';
import { isObject, type Json, type JsonObject, objectAt, stringAt, stringsAt } from '../json.ts';
import { canonicalTime } from './go-time.ts';
import { referredName, resolveSchema, type SchemaLookup } from './resolve.ts';

const MICRO_TIME = 'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime';

/** A decoded object, and what its schema does not know. */
export interface Decoded {
  value: JsonObject;
  /** Paths as the strict decoder names them: `spec.containers[0].foo`. */
  unknown: string[];
}

/** The body can't be read as the Go type: answered with 400. */
export class DecodeError extends Error {
  readonly code = 'Decode';

  constructor(message: string) {
    super(message);
    this.name = 'DecodeError';
  }
}

/**
 * Reads a body as the Go types of built-in kinds would: drops unknown fields, nulls and empty optional
 * lists and maps, fills structs that are always written. Throws DecodeError for a wrong type.
 */
export function decodeBuiltin(schema: JsonObject, body: Json, lookup: SchemaLookup, kind: string): Decoded {
  const unknown: string[] = [];
  const decoder = new Decoder(lookup, unknown, kind);
  const value = decoder.value(schema, body, '', '');
  return { value: isObject(value) ? value : {}, unknown };
}

class Decoder {
  readonly #lookup: SchemaLookup;
  readonly #unknown: string[];
  readonly #kind: string;

  constructor(lookup: SchemaLookup, unknown: string[], kind: string) {
    this.#lookup = lookup;
    this.#unknown = unknown;
    this.#kind = kind;
  }

  value(unresolved: JsonObject, value: Json, path: string, goPath: string): Json {
    const schema = resolveSchema(unresolved, this.#lookup);
    if (schema.format === 'int-or-string') {
      return typeof value === 'number' || typeof value === 'string'
        ? value
        : this.#fail(value, goPath, 'int32');
    }
    const type = stringAt(schema, 'type');
    if (type === 'object') return this.#object(schema, value, path, goPath);
    if (type === 'array') return this.#array(schema, value, path, goPath);
    if (type === 'string') return this.#text(unresolved, schema, value, goPath);
    if (type === 'boolean') return typeof value === 'boolean' ? value : this.#fail(value, goPath, 'bool');
    if (type === 'integer') {
      return Number.isInteger(value)
        ? value
        : this.#fail(value, goPath, stringAt(schema, 'format') || 'int64');
    }
    if (type === 'number') return typeof value === 'number' ? value : this.#fail(value, goPath, 'float64');
    return Array.isArray(schema.oneOf) ? this.#quantity(value, goPath) : value;
  }

  #text(unresolved: JsonObject, schema: JsonObject, value: Json, goPath: string): Json {
    if (typeof value !== 'string') return this.#fail(value, goPath, 'string');
    if (schema.format === 'byte') return assertBase64(value);
    if (schema.format !== 'date-time') return value;
    const micro = referredName(unresolved) === MICRO_TIME;
    const time = canonicalTime(value, micro);
    if (time !== undefined) return time;
    const layout = `2006-01-02T15:04:05${micro ? '.000000' : ''}Z07:00`;
    throw new DecodeError(
      `parsing time ${JSON.stringify(value)} as ${JSON.stringify(layout)}: cannot parse it`,
    );
  }

  #quantity(value: Json, goPath: string): Json {
    if (typeof value !== 'string' && typeof value !== 'number')
      return this.#fail(value, goPath, 'resource.Quantity');
    const quantity = parseQuantity(String(value));
    if (quantity) return formatQuantity(quantity);
    throw new DecodeError(
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
  }

  #object(schema: JsonObject, value: Json, path: string, goPath: string): Json {
    if (!isObject(value)) return this.#fail(value, goPath, goPath === '' ? 'object' : 'map');
    const properties = schema.properties;
    const additional = schema.additionalProperties;
    if (!isObject(properties) && !isObject(additional)) return value;
    const out: JsonObject = {};
    for (const [key, child] of Object.entries(value)) {
      const property = isObject(properties) ? properties[key] : undefined;
      const at = path === '' ? key : `${path}.${key}`;
      if (isObject(property)) {
        if (child === null) continue;
        const decoded = this.value(property, child, at, `${goPath}.${key}`);
        if (!this.#omitted(schema, key, property, decoded)) out[key] = decoded;
      } else if (isObject(additional)) {
        out[key] = child === null ? nullEntry(additional) : this.value(additional, child, at, goPath);
      } else this.#unknown.push(at);
    }
    if (isObject(properties)) this.#fillStructs(properties, out);
    return out;
  }

  /** Go writes structs that are no pointers always; OpenAPI marks them with `default: {}`. */
  #fillStructs(properties: JsonObject, out: JsonObject): void {
    for (const [key, property] of Object.entries(properties)) {
      if (key in out || !isObject(property) || !isObject(property.default)) continue;
      const type = resolveSchema(property, this.#lookup);
      if (!isObject(type.properties)) continue;
      const made: JsonObject = {};
      this.#fillStructs(type.properties, made);
      out[key] = made;
    }
  }

  #omitted(schema: JsonObject, key: string, property: JsonObject, value: Json): boolean {
    if (stringsAt(schema, 'required').includes(key)) return false;
    if (Array.isArray(value)) return value.length === 0;
    if (value === '')
      return (
        key === 'namespace' ||
        key === 'generateName' ||
        (key === 'value' && 'valueFrom' in objectAt(schema, 'properties'))
      );
    if (!isObject(value) || Object.keys(value).length > 0) return false;
    return isObject(resolveSchema(property, this.#lookup).additionalProperties);
  }

  #array(schema: JsonObject, value: Json, path: string, goPath: string): Json {
    if (!Array.isArray(value)) return this.#fail(value, goPath, 'slice');
    const items = objectAt(schema, 'items');
    // Go has the zero of the type where there is a null.
    const zero = nullEntry(resolveSchema(items, this.#lookup)) ?? {};
    return value.map((item, index) =>
      item === null ? zero : this.value(items, item, `${path}[${index}]`, goPath),
    );
  }

  #fail(value: Json, goPath: string, want: string): never {
    const got = Array.isArray(value)
      ? 'array'
      : isObject(value)
        ? 'object'
        : typeof value === 'boolean'
          ? 'bool'
          : typeof value;
    throw new DecodeError(
      `json: cannot unmarshal ${got} into Go struct field ${this.#kind}${goPath} of type ${want}`,
    );
  }
}

function assertBase64(text: string): string {
  const bytes = text.replace(/[\r\n]/g, '');
  const sound = bytes.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(bytes);
  if (sound) return text;
  const at = /[^A-Za-z0-9+/\r\n]/.exec(text)?.index ?? text.length;
  throw new DecodeError(`illegal base64 data at input byte ${at}`);
}

function nullEntry(schema: JsonObject): Json {
  return stringAt(schema, 'type') === 'string' ? '' : null;
}

/** The value of a kind before anything was set: the structs that are always there, required lists as null. */
export function emptyStruct(schema: JsonObject, lookup: SchemaLookup): JsonObject {
  const type = resolveSchema(schema, lookup);
  const out: JsonObject = {};
  const properties = type.properties;
  if (!isObject(properties)) return out;
  for (const [key, property] of Object.entries(properties)) {
    if (!isObject(property)) continue;
    if (property.type === 'array' && stringsAt(type, 'required').includes(key)) out[key] = null;
    if (!isObject(property.default)) continue;
    if (isObject(resolveSchema(property, lookup).properties)) out[key] = emptyStruct(property, lookup);
  }
  return out;
}
