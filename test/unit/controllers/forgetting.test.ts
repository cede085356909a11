/** Whatever the operator remembers of an object goes with it: it runs for months while teams make and delete models. */
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { ModelWorkloads } from '../../../operator/controllers/model/model-workloads.ts';
import { ModelRoutes } from '../../../operator/controllers/routes/model-routes.ts';
import { createContext } from '../../../operator/controllers/shared/context.ts';
import { createViews } from '../../../operator/controllers/views.ts';
import type { KubeClient } from '../../../operator/kube/client.ts';
import { silentLogger } from '../../../operator/kube/logger.ts';
import { FakeClock } from '../kube/support/fake-clock.ts';
import { aModel, aPool } from './fixtures.ts';
import { aGrantStore, put } from './support.ts';

const POOL = 'platform/pool';

function setUp() {
  const patch = async () => ({ metadata: { name: 'scaled', resourceVersion: '1' } });
  const client = { ...aGrantStore(), patch } as unknown as KubeClient;
  const context = createContext({
    client,
    namespace: 'operator',
    identity: 'test',
    clock: new FakeClock(),
    log: silentLogger,
    registry: new Registry(),
  });
  const views = createViews(context);
  const routes = new ModelRoutes({ ...context, ...views });
  const workloads = new ModelWorkloads(context.state);
  const pool = aPool({ allowedNamespaces: { from: 'All' }, capacity: { accelerators: 2, overcommit: true } });
  return { context, views, routes, workloads, pool };
}

it('has nothing left of 200 models that came and went, nor of their pool', async () => {
  const { context, views, routes, workloads, pool } = setUp();
  const { state } = context;
  const { acceptance, ledger, lifecycles, departures, coldStarts, demand, budget, replicas } = views;
  const { signal } = new AbortController();
  put(state.pools.store, pool);
  const models = Array.from({ length: 200 }, (_, i) =>
    put(state.models.store, aModel(`m-${i}`, {}, { namespace: `team-${i % 5}` })),
  );
  const uids = models.map(({ metadata }) => metadata.uid ?? '');
  demand.setRouters(POOL, ['router']);
  const used = { inFlight: 1, held: 1, queued: 0, ageMs: 0 };
  const reported = Object.fromEntries(uids.map((uid) => [uid, used]));
  demand.report(POOL, 'router', { seq: 1, version: 1, models: reported });
  for (const model of models) {
    const { name, uid = '' } = model.metadata;
    lifecycles.set(uid, { phase: { is: 'Idle' } });
    departures.setReleasing(uid, new Set(['pod']));
    coldStarts.scaled(uid);
    workloads.of(model);
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace: 'platform' },
      spec: { replicas: 0 },
    };
    await replicas.scale(uid, deployment as Parameters<typeof replicas.scale>[1], 1, signal);
  }
  // Each asks for a decision about all: the first of them are enough to have some who wait.
  for (const model of models.slice(0, 10)) budget.ask(pool, model, 1, 0);
  acceptance.verdicts(pool);
  await ledger.saveAll(pool);
  expect(routes.of(pool)).toHaveLength(200);
  expect(state.models.store.attachedSize).toBeGreaterThan(1_800);
  expect(state.pools.store.attachedSize).toBeGreaterThan(2);

  for (const model of models) state.models.store.remove(model);
  expect(state.models.store.attachedSize).toBe(0);
  // A write that was under way ends, and a router still reports.
  lifecycles.set(uids[0] ?? '', { phase: { is: 'Idle' } });
  coldStarts.held(uids[0] ?? '');
  demand.report(POOL, 'router', { seq: 2, version: 1, models: reported });
  routes.adopt({ version: 1, models: routes.of(pool) } as unknown as Parameters<typeof routes.adopt>[0]);
  expect(state.models.store.attachedSize).toBe(0);

  state.pools.store.remove(pool);
  acceptance.verdicts(pool);
  expect(state.pools.store.attachedSize).toBe(0);
});
