import type { ApiObject } from '../api-object.ts';
import type { Json } from '../json.ts';
import type { PrinterColumn } from '../resource.ts';
import { age } from './cells.ts';
import { type Column, CREATED_TEXT } from './column.ts';
import { jsonPathValues } from './json-path.ts';

const DEFAULT_COLUMNS: PrinterColumn[] = [
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: CREATED_TEXT },
];

/** Columns of a custom resource: its additionalPrinterColumns, or its age. */
export function customColumns(columns: PrinterColumn[]): Column[] {
  return (columns.length > 0 ? columns : DEFAULT_COLUMNS).map((column) => ({
    definition: {
      name: column.name,
      type: column.type,
      format: column.format ?? '',
      description:
        column.description ?? `Custom resource definition column (in JSONPath format): ${column.jsonPath}`,
      priority: column.priority ?? 0,
    },
    cell: (object, now) => cell(column, object, now),
  }));
}

function cell(column: PrinterColumn, object: ApiObject, now: Date): Json {
  const values = jsonPathValues(object, column.jsonPath);
  const first = values[0];
  if (first === undefined || first === null) return null;
  if (column.type === 'integer') return typeof first === 'number' ? Math.trunc(first) : null;
  if (column.type === 'number') return typeof first === 'number' ? first : null;
  if (column.type === 'boolean') return typeof first === 'boolean' ? first : null;
  if (column.type === 'date') return typeof first === 'string' ? age(first, now) : null;
  return values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join(',');
}
