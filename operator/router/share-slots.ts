/** Shares the limited counters of the routers fairly among namespaces. Each model and each engine needs one slot. Pure. */
import type { RouteModel } from './route-table.ts';

/**
 * Most models and engines in a table. A router has slots for a third more (counters.lua), because a removed engine keeps
 * its slot until its last request has ended.
 */
export const MAX_SLOTS = 12_288;

/** Models and engines of a namespace that exceed its share. */
export interface Omitted {
  namespace: string;
  models: number;
  engines: number;
}

/**
 * The models, with as many of their engines as fit. A namespace that needs no more than its fair share gets all of it. In
 * the others, the youngest models are omitted, and engines of the models that have the most.
 */
export function shareSlots(
  models: readonly RouteModel[],
  room: number = MAX_SLOTS,
): { models: readonly RouteModel[]; omitted: Omitted[] } {
  let needed = models.length;
  for (const { endpoints } of models) needed += endpoints.length;
  if (needed <= room) return { models, omitted: [] };
  const teams = [...Map.groupBy(models, ({ namespace }) => namespace)];
  const shares = fairShares(
    teams.map(([, own]) => own.reduce((sum, { endpoints }) => sum + 1 + endpoints.length, 0)),
    room,
  );
  const fitted = new Map<RouteModel, RouteModel>();
  const omitted: Omitted[] = [];
  for (const [i, [namespace, own]] of teams.entries()) {
    const kept = withinShare(own, shares[i] ?? 0);
    let engines = 0;
    for (const model of own) {
      const now = kept.get(model);
      if (now) fitted.set(model, now);
      engines += model.endpoints.length - (now?.endpoints.length ?? 0);
    }
    const gone = own.length - kept.size;
    if (gone > 0 || engines > 0) omitted.push({ namespace, models: gone, engines });
  }
  return { models: models.flatMap((model) => fitted.get(model) ?? []), omitted };
}

/** The models of one namespace that fit into its share, oldest first. */
function withinShare(models: readonly RouteModel[], share: number): Map<RouteModel, RouteModel> {
  const kept = [...models].sort((a, b) => a.created - b.created).slice(0, share);
  const engines = fairShares(
    kept.map(({ endpoints }) => endpoints.length),
    share - kept.length,
  );
  return new Map(
    kept.map((model, i) => {
      const count = engines[i] ?? 0;
      if (count >= model.endpoints.length) return [model, model];
      return [model, { ...model, endpoints: model.endpoints.slice(0, count) }];
    }),
  );
}

/** Max-min fairness: a namespace that needs no more than an equal part gets it, and the others share the rest. */
function fairShares(needs: readonly number[], room: number): number[] {
  const shares = needs.map(() => 0);
  const order = needs.map((_, i) => i).sort((a, b) => (needs[a] ?? 0) - (needs[b] ?? 0));
  let left = room;
  for (const [place, i] of order.entries()) {
    const share = Math.min(needs[i] ?? 0, Math.floor(left / (order.length - place)));
    shares[i] = share;
    left -= share;
  }
  return shares;
}
