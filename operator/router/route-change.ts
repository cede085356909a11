/** What has changed from one route table to the next: a table of thousands of models is not sent again for one of them. */
import { isDeepStrictEqual } from 'node:util';
import type { RouteModel, RouteTable } from './route-table.ts';

/** Applied by a router that runs the version `from`, and by no other. */
export interface RouteChange {
  from: number;
  version: number;
  /** Models that were added or changed. */
  models: RouteModel[];
  /** UIDs of models that are gone. */
  removed: string[];
}

/** Above this share of models a whole table costs less. */
const MOST = 0.5;

/**
 * The change between two tables, or undefined when it takes a whole one: something beside the models has changed, or most of
 * them. Models that are the same object are the same; others may be sent without need.
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
  return models.length + removed.length > to.models.length * MOST ? undefined : { models, removed };
}

/** Whether two tables say the same beside their models and versions. */
export function isSameHead(a: RouteTable, b: RouteTable): boolean {
  return isDeepStrictEqual({ ...a, version: 0, models: [] }, { ...b, version: 0, models: [] });
}
