import { isDeepStrictEqual } from 'node:util';
import type { Environment } from '@marcbachmann/cel-js';
import { isObject, type JsonObject, objectAt, stringAt } from '../json.ts';
import { escapeName } from './values.ts';

/** Declares the types of a schema in a CEL environment, so that rules can be type-checked. */
export class Declarations {
  readonly #environment: Environment;
  readonly #known = new Map<JsonObject, string>();
  #count = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** The CEL type of a schema. `root`: objects that have apiVersion, kind and metadata. */
  typeOf(schema: JsonObject, root = false): string {
    if (schema['x-kubernetes-int-or-string'] === true) return 'dyn';
    switch (stringAt(schema, 'type')) {
      case 'string':
        return schema.format === 'date-time' || schema.format === 'date'
          ? 'google.protobuf.Timestamp'
          : 'string';
      case 'integer':
        return 'int';
      case 'number':
        return 'double';
      case 'boolean':
        return 'bool';
      case 'array':
        return `list<${this.typeOf(objectAt(schema, 'items'))}>`;
      case 'object':
        return this.#objectType(schema, root);
      default:
        return 'dyn';
    }
  }

  #objectType(schema: JsonObject, root: boolean): string {
    if (schema['x-kubernetes-preserve-unknown-fields'] === true) return 'dyn';
    const additional = schema.additionalProperties;
    if (isObject(additional)) return `map<string, ${this.typeOf(additional)}>`;
    const known = this.#known.get(schema);
    if (known) return known;
    const name = `Object${++this.#count}`;
    this.#known.set(schema, name);
    const fields: Record<string, string> = {};
    for (const [key, property] of Object.entries(objectAt(schema, 'properties'))) {
      const field = escapeName(key);
      if (field !== undefined && isObject(property)) fields[field] = this.typeOf(property);
    }
    if (root || schema['x-kubernetes-embedded-resource'] === true) {
      Object.assign(fields, { apiVersion: 'string', kind: 'string', metadata: this.#metadataType() });
    }
    this.#environment.registerType(name, { fields });
    this.#environment.registerOperator(`${name} == ${name}`, (a: unknown, b: unknown) =>
      isDeepStrictEqual(a, b),
    );
    return name;
  }

  #metadataType(): string {
    const name = `Object${++this.#count}`;
    this.#environment.registerType(name, {
      fields: {
        name: 'string',
        generateName: 'string',
        namespace: 'string',
        labels: 'map<string, string>',
        annotations: 'map<string, string>',
      },
    });
    return name;
  }
}
