import type { ApiObject } from '../api-object.ts';
import type { JsonObject } from '../json.ts';
import { partialMeta } from '../object-meta.ts';
import type { Resource } from '../resource.ts';
import type { ServerContext } from '../server-context.ts';
import { builtinColumns } from './builtin-columns.ts';
import { type Column, CREATED_TEXT, NAME_COLUMN } from './column.ts';
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
  const columns = columnsOf(resource);
  const include = query.get('includeObject') ?? 'Metadata';
  const now = server.now();
  const only = objects.length === 1 ? objects[0] : undefined;
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: only?.metadata.resourceVersion ? { resourceVersion: only.metadata.resourceVersion } : {},
    columnDefinitions: columns.map((each) => each.definition),
    rows: objects.map((object) => ({
      cells: columns.map((each) => each.cell(object, now)),
      ...(include === 'None' ? {} : { object: include === 'Object' ? object : partialMeta(object) }),
    })),
  };
}

function columnsOf(resource: Resource): Column[] {
  if (resource.custom) return [NAME_COLUMN, ...customColumns(resource.custom.columns)];
  return builtinColumns(resource.collection) ?? [NAME_COLUMN, CREATED_COLUMN];
}
