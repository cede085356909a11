import type { ApiObject } from '../api-object.ts';
import type { Json, JsonObject } from '../json.ts';
import { partialMeta } from '../object-meta.ts';
import type { Resource } from '../resource.ts';
import type { ServerContext } from '../server-context.ts';
import { builtinColumns } from './builtin-columns.ts';
import { age } from './cells.ts';
import { customColumns } from './custom-columns.ts';

/** A column of a table, and how its cell is read. */
export interface Column {
  definition: JsonObject;
  cell(object: ApiObject, now: Date): Json;
}

const NAME_TEXT =
  'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names';
const CREATED_TEXT =
  'CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata';

/** The Name column that every table starts with. */
export const NAME_COLUMN: Column = {
  definition: { name: 'Name', type: 'string', format: 'name', description: NAME_TEXT, priority: 0 },
  cell: (object) => object.metadata.name,
};

const CREATED_COLUMN: Column = {
  definition: { name: 'Created At', type: 'date', format: '', description: CREATED_TEXT, priority: 0 },
  cell: (object) => object.metadata.creationTimestamp ?? '',
};

/** A Table of objects as `kubectl get` prints it; `includeObject` in the query says what rows carry. */
export function tableOf(
  server: ServerContext,
  resource: Resource,
  objects: ApiObject[],
  query: URLSearchParams,
): JsonObject {
  const columns = columnsOf(resource);
  const include = query.get('includeObject') ?? 'Metadata';
  const now = server.now();
  const only = objects.length === 1 ? objects[0] : undefined;
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: only?.metadata.resourceVersion ? { resourceVersion: only.metadata.resourceVersion } : {},
    columnDefinitions: columns.map((column) => column.definition),
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.cell(object, now)),
      ...(include === 'None' ? {} : { object: include === 'Object' ? object : partialMeta(object) }),
    })),
  };
}

function columnsOf(resource: Resource): Column[] {
  if (resource.custom) return [NAME_COLUMN, ...customColumns(resource.custom.columns)];
  return builtinColumns(resource.collection) ?? [NAME_COLUMN, CREATED_COLUMN];
}

/** A column with an object's age. */
export const AGE_COLUMN: Column = {
  definition: { name: 'Age', type: 'string', format: '', description: CREATED_TEXT, priority: 0 },
  cell: (object, now) => age(object.metadata.creationTimestamp, now),
};
