import type { ApiObject } from '../api-object.ts';
import { type JsonObject, numberAt } from '../json.ts';
import { partialMeta } from '../object-meta.ts';
import type { Resource } from '../resource.ts';
import type { ServerContext } from '../server-context.ts';
import { badRequest } from '../status-error.ts';
import { builtinColumns } from './builtin-columns.ts';
import { AGE_COLUMN, type Column, CREATED_TEXT, column, NAME_COLUMN } from './column.ts';
import { customColumns } from './custom-columns.ts';

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
  return tableWith(columnsOf(resource), objects, query, server.now());
}

/** The Table of a Scale. */
export function scaleTable(scale: ApiObject, query: URLSearchParams, now: Date): JsonObject {
  const age = { ...AGE_COLUMN, definition: { ...AGE_COLUMN.definition, type: 'date' } };
  const columns = [
    NAME_COLUMN,
    column('Desired', (object) => numberAt(object, 'spec', 'replicas') ?? 0, {
      type: 'integer',
      description: 'Number of desired replicas',
    }),
    column('Available', (object) => numberAt(object, 'status', 'replicas') ?? 0, {
      type: 'integer',
      description: 'Number of actual replicas',
    }),
    age,
  ];
  return tableWith(columns, [scale], query, now);
}

/** Throws BadRequest when the query asks for unknown parts of objects. */
function tableWith(columns: Column[], objects: ApiObject[], query: URLSearchParams, now: Date): JsonObject {
  const include = query.get('includeObject') || 'Metadata';
  if (!['Metadata', 'Object', 'None'].includes(include))
    throw badRequest(
      `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(include)}: must be 'Metadata', 'Object', 'None', or empty`,
    );
  const only = objects.length === 1 ? objects[0] : undefined;
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: only?.metadata.resourceVersion ? { resourceVersion: only.metadata.resourceVersion } : {},
    columnDefinitions: columns.map((each) => each.definition),
    rows: objects.map((object) => ({
      cells: columns.map((each) => each.cell(object, now)),
      object: include === 'None' ? null : include === 'Object' ? object : partialMeta(object),
    })),
  };
}

function columnsOf(resource: Resource): Column[] {
  if (resource.custom) return [NAME_COLUMN, ...customColumns(resource.custom.columns)];
  return builtinColumns(resource.collection) ?? [NAME_COLUMN, CREATED_COLUMN];
}
