import type { ApiObject } from '../api-object.ts';
import type { Json, JsonObject } from '../json.ts';
import { age } from './cells.ts';

/** A column of a table, and how its cell is read. */
export interface Column {
  definition: JsonObject;
  cell(object: ApiObject, now: Date): Json;
}

const NAME_TEXT =
  'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names';

/** Description of columns about an object's age. */
export const CREATED_TEXT =
  'CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata';

/** The Name column that every table starts with. */
export const NAME_COLUMN: Column = {
  definition: { name: 'Name', type: 'string', format: 'name', description: NAME_TEXT, priority: 0 },
  cell: (object) => object.metadata.name,
};

/** A column with an object's age. */
export const AGE_COLUMN: Column = {
  definition: { name: 'Age', type: 'string', format: '', description: CREATED_TEXT, priority: 0 },
  cell: (object, now) => age(object.metadata.creationTimestamp, now),
};

/** A text column; `wide` ones are shown with `-o wide` only. */
export function column(
  name: string,
  cell: Column['cell'],
  options: { type?: string; wide?: boolean; description?: string } = {},
): Column {
  const { type = 'string', wide = false, description = '' } = options;
  return { definition: { name, type, format: '', description, priority: wide ? 1 : 0 }, cell };
}
