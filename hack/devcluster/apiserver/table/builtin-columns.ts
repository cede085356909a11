import type { Column } from './table.ts';

/** Columns of a built-in kind; undefined for those that print name and creation time only. */
export function builtinColumns(_collection: string): Column[] | undefined {
  return undefined;
}
