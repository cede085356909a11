import { isObject, type Json, type JsonObject, objectAt, stringAt, stringsAt } from '../json.ts';
import { referredName, resolveSchema, type SchemaLookup } from './resolve.ts';

/**
 * A schema as server-side apply sees it (structured-merge-diff's Atom): scalar, list or map, with how
 * lists and maps merge. `any` is schemaless data: maps merge by key, lists are atomic.
 */
export interface TypeNode {
  readonly shape: 'scalar' | 'list' | 'map' | 'any';
  /** What a scalar may be; `untyped` takes any of them. */
  readonly scalar: 'string' | 'numeric' | 'boolean' | 'untyped';
  /** Lists and maps that are owned as a whole. */
  readonly atomic: boolean;
  /** Only lists: whether items are identified by key fields or by value. */
  readonly listType: 'atomic' | 'set' | 'map';
  readonly keys: readonly string[];
  /** Defaults of the key fields. */
  readonly keyDefaults: Readonly<Record<string, Json>>;
  /** A declared field's type. */
  field(name: string): TypeNode | undefined;
  /** Type of list items and of map values that are no declared field. */
  readonly element: () => TypeNode;
  /** A map that has no other than its declared fields. */
  readonly closed: boolean;
}

const ANY: TypeNode = {
  shape: 'any',
  scalar: 'untyped',
  closed: false,
  atomic: false,
  listType: 'atomic',
  keys: [],
  keyDefaults: {},
  field: () => undefined,
  element: () => ANY,
};

/** Data of any kind in built-in kinds: owned as a whole. */
const RAW = 'io.k8s.apimachinery.pkg.runtime.RawExtension';
const SCALAR: TypeNode = { ...ANY, shape: 'scalar', element: () => ANY };

/** Makes type nodes from OpenAPI schemas, one for each schema object. */
export class TypeNodes {
  readonly #nodes = new WeakMap<JsonObject, TypeNode>();
  readonly #lookup: SchemaLookup;

  constructor(lookup: SchemaLookup) {
    this.#lookup = lookup;
  }

  of(schema: JsonObject): TypeNode {
    const known = this.#nodes.get(schema);
    if (known) return known;
    const node = this.#make(schema);
    this.#nodes.set(schema, node);
    return node;
  }

  #make(unresolved: JsonObject): TypeNode {
    if (referredName(unresolved) === RAW) return { ...ANY, atomic: true };
    const schema = { ...resolveSchema(unresolved, this.#lookup), ...extensions(unresolved) };
    const type = stringAt(schema, 'type');
    if (schema['x-kubernetes-int-or-string'] === true || schema.format === 'int-or-string') return SCALAR;
    if (type === 'array') return this.#list(schema);
    if (type === 'object') return this.#map(schema);
    if (type === '' && !Array.isArray(schema.oneOf)) return ANY;
    return { ...SCALAR, scalar: scalarOf(type, stringAt(schema, 'format')) };
  }

  #list(schema: JsonObject): TypeNode {
    const items = objectAt(schema, 'items');
    const kind = stringAt(schema, 'x-kubernetes-list-type');
    const listType = kind === 'map' || kind === 'set' ? kind : 'atomic';
    const keys = stringsAt(schema, 'x-kubernetes-list-map-keys').sort();
    const fields = objectAt(resolveSchema(items, this.#lookup), 'properties');
    const keyDefaults: Record<string, Json> = {};
    for (const key of keys) {
      const value = objectAt(fields, key).default;
      if (value !== undefined) keyDefaults[key] = value;
    }
    return {
      ...SCALAR,
      shape: 'list',
      atomic: listType === 'atomic',
      listType,
      keys,
      keyDefaults,
      element: () => this.of(items),
    };
  }

  #map(schema: JsonObject): TypeNode {
    const properties = objectAt(schema, 'properties');
    const additional = schema.additionalProperties;
    const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true;
    if (Object.keys(properties).length === 0 && additional === undefined) {
      return { ...ANY, atomic: stringAt(schema, 'x-kubernetes-map-type') === 'atomic' };
    }
    return {
      ...SCALAR,
      shape: 'map',
      closed: !isObject(additional) && additional !== true && !preserves,
      atomic: stringAt(schema, 'x-kubernetes-map-type') === 'atomic',
      field: (name) => {
        const property = properties[name];
        return isObject(property) ? this.of(property) : undefined;
      },
      element: () => (isObject(additional) && !preserves ? this.of(additional) : ANY),
    };
  }
}

/** As kube-openapi's schemaconv: formats of strings are not checked, except `byte`. */
function scalarOf(type: string, format: string): TypeNode['scalar'] {
  if (type === 'integer' || type === 'number') return 'numeric';
  if (type === 'boolean') return 'boolean';
  return type === 'string' && (format === '' || format === 'byte') ? 'string' : 'untyped';
}

function extensions(schema: JsonObject): JsonObject {
  const out: JsonObject = {};
  for (const key of Object.keys(schema)) if (key.startsWith('x-kubernetes-')) out[key] = schema[key] as Json;
  return out;
}
