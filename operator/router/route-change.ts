/** The difference between two route tables, so that a table of thousands of models is not sent again for one of them. */
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import type { routeChange } from './protocol.ts';
import type { RouteModel, RouteTable } from './route-table.ts';

/** Applied only by a router that runs the version `from`. */
export type RouteChange = z.infer<typeof routeChange>;

/** Above this share of a table, the whole is cheaper. A router reads four keys in the time of one model. */
const MAX_CHANGED_SHARE = 0.5;
const KEYS_PER_MODEL = 4;

/**
 * The change between two tables, or undefined if the whole table has to be sent, because something other than models or
 * most models have changed. Models are compared by identity first; sending one that is equal is harmless.
 */
export function changeBetween(
  from: RouteTable,
  to: RouteTable,
): Omit<RouteChange, 'from' | 'version'> | undefined {
  if (!isSameHead(from, to)) return undefined;
  const before = new Map(from.models.map((model) => [model.uid, model]));
  const models: RouteModel[] = [];
  for (const model of to.models) {
    if (before.get(model.uid) !== model) models.push(model);
    before.delete(model.uid);
  }
  const removed = [...before.keys()];
  const whole = to.models.length + to.keys.length / KEYS_PER_MODEL;
  return models.length + removed.length > whole * MAX_CHANGED_SHARE ? undefined : { models, removed };
}

/** Whether two tables are equal except for their models and versions. */
export function isSameHead(a: RouteTable, b: RouteTable): boolean {
  return isDeepStrictEqual({ ...a, version: 0, models: [] }, { ...b, version: 0, models: [] });
}
