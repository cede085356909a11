import { expect, it } from 'vitest';
import { ShownTiers } from '../../../../operator/controllers/model/shown-tiers.ts';
import type { KubeObject } from '../../../../operator/kube/object.ts';
import { Store } from '../../../../operator/kube/store.ts';
import { DemandTracker } from '../../../../operator/scaling/demand.ts';
import { FakeClock } from '../../kube/support/fake-clock.ts';
import { aModel } from '../fixtures.ts';

const POOL = 'platform/pool';

function setUp(model = aModel('chat')) {
  const clock = new FakeClock();
  const models = new Store<KubeObject>();
  models.upsert(model);
  const changes: string[] = [];
  const demand = new DemandTracker({
    clock,
    models,
    isModelOf: () => true,
    onHeld: () => {},
    onBusy: () => {},
    onTier: (uid) => changes.push(uid),
  });
  const shown = new ShownTiers({ clock, models, demand });
  const report = (router: string, tier?: number) =>
    demand.report(POOL, router, {
      seq: 1,
      version: 1,
      models: {
        'uid-chat': { inFlight: 1, held: 0, queued: 0, ageMs: 0, ...(tier !== undefined && { tier }) },
      },
    });
  return { clock, demand, shown, report, changes, of: () => shown.of(model) };
}

it('the severest tier of all routers is shown, and each change is told once', () => {
  const { demand, report, changes, of } = setUp();
  demand.setRouters(POOL, ['a', 'b']);
  report('a', 2);
  report('b', 1);
  report('a', 2);
  expect(changes).toEqual(['uid-chat', 'uid-chat']);
  expect(of()).toEqual({ tier: 2 });
});

it('a tier is shown at once, and the next one after 30 seconds', async () => {
  const { clock, demand, report, of } = setUp();
  demand.setRouters(POOL, ['a']);
  report('a', 1);
  expect(of()).toEqual({ tier: 1 });
  await clock.advance(1_000);
  report('a', 2);
  expect(of()).toEqual({ tier: 1, requeueAfterMs: 29_000 });
  await clock.advance(29_000);
  report('a');
  expect(of()).toEqual({ tier: 0 });
});

it('a new process shows what the one before showed, until a router says otherwise', () => {
  const { demand, report, of, changes } = setUp({
    ...aModel('chat'),
    status: { degradationTier: 2 },
  });
  expect(of()).toEqual({ tier: 2 });
  demand.setRouters(POOL, []);
  demand.setRouters(POOL, ['a']);
  expect(of()).toEqual({ tier: 2 });
  report('a', 2);
  expect(of()).toEqual({ tier: 2 });
  report('a');
  expect(of()).toEqual({ tier: 0 });
  expect(changes).toEqual(['uid-chat', 'uid-chat']);
});

it('the tier of a router that has gone is not shown, and neither is that of one that is silent', async () => {
  const { clock, demand, report, of, changes } = setUp();
  demand.setRouters(POOL, ['a', 'b', 'c']);
  report('a', 3);
  demand.setRouters(POOL, ['b', 'c']);
  expect(changes).toHaveLength(2);
  report('b', 2);
  await clock.advance(60_000);
  report('c', 1);
  expect(of()).toEqual({ tier: 1 });
  await clock.advance(60_000);
  report('b', 2);
  expect(changes).toHaveLength(5);
  expect(of()).toEqual({ tier: 2 });
});
