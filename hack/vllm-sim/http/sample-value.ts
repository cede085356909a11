import { Random } from '../engine/random.ts';
import { type Body, isRecord } from './fields.ts';

/** A value that fits a JSON schema, plain and repeatable. */
export function sampleOf(schema: unknown): unknown {
  return isRecord(schema) ? sample(schema, new Random(42), 0) : {};
}

function sample(schema: Body, random: Random, depth: number): unknown {
  const options = schema.enum;
  if (Array.isArray(options) && options.length > 0) {
    return options[0];
  }
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case 'object': {
      const properties = isRecord(schema.properties) ? schema.properties : {};
      return Object.fromEntries(
        Object.entries(properties).map(([name, child]) => [
          name,
          isRecord(child) && depth < 8 ? sample(child, random, depth + 1) : null,
        ]),
      );
    }
    case 'array':
      return isRecord(schema.items) && depth < 8 ? [sample(schema.items, random, depth + 1)] : [];
    case 'integer':
    case 'number':
      return random.integer(100);
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return 'value';
  }
}
