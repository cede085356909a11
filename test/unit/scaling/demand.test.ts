import { expect, it } from 'vitest';
import { Store } from '../../../operator/kube/store.ts';
import type { ModelDemand } from '../../../operator/router/protocol.ts';
import { DemandTracker } from '../../../operator/scaling/demand.ts';
import { FakeClock } from '../kube/support/fake-clock.ts';

it('accepts from a router only demand for models of its pool', () => {
  const woken: string[] = [];
  const tracker = new DemandTracker({
    clock: new FakeClock(),
    models: new Store(),
    isModelOf: (poolKey, uid) => poolKey === 'a/pool' && uid === 'mine',
    onHeld: (_, uid) => woken.push(uid),
    onBusy: (_, uid) => woken.push(uid),
  });
  tracker.setRouters('a/pool', ['router']);
  const held: ModelDemand = { inFlight: 0, held: 1, queued: 0, ageMs: 0 };
  tracker.report('a/pool', 'router', {
    seq: 1,
    version: 1,
    models: { mine: held, theirs: held, busy: { ...held, held: 0, inFlight: 1 } },
  });
  expect(woken).toEqual(['mine']);
  expect(tracker.of('a/pool', 'mine').held).toBe(1);
  expect(tracker.of('a/pool', 'theirs').held).toBe(0);
});
