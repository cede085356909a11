/** Accelerators that models hold of a pool stay with them until their engines are gone (docs/adr/0013). */
import { describe, expect, it } from 'vitest';
import { RESERVATION_MS } from '../../../../operator/controllers/acceptance/reservations.ts';
import type { Deployment } from '../../../../operator/controllers/shared/workloads.ts';
import type { KubeObject } from '../../../../operator/kube/object.ts';
import { engineLabels } from '../../../../operator/render/labels.ts';
import { put } from '../support.ts';
import { setUp } from './support/accepted-models.ts';

describe('accelerators', () => {
  const budget = (accelerators: number, more = {}) => ({ capacity: { accelerators, ...more } });

  it('stay with a model that has started, whoever comes in the same second', () => {
    const { model, verdict } = setUp(budget(2));
    const creationTimestamp = '2026-01-01T00:00:00Z';
    for (const key of ['a/c-one', 'a/b-two', 'a/a-three', 'a/z-four']) {
      model(key, {}, { creationTimestamp });
      verdict(key);
    }
    expect(['a/c-one', 'a/b-two', 'a/a-three', 'a/z-four'].map(verdict)).toEqual([
      'accepted',
      'accepted',
      'QuotaExceeded',
      'QuotaExceeded',
    ]);
  });

  it('of an edit that asks for more are only claimed beyond those that it has', () => {
    const { model, verdict, message } = setUp(budget(4));
    model('a/one', { scaling: { replicas: 2 } });
    model('b/two', { scaling: { replicas: 1 } });
    expect([verdict('a/one'), verdict('b/two')]).toEqual(['accepted', 'accepted']);
    model('a/one', { scaling: { replicas: 4 } });
    expect(message('a/one')).toContain('has 3 of 4 left');
    model('a/one', { scaling: { replicas: 3 } });
    expect(verdict('a/one')).toBe('accepted');
  });

  it('stay with their models when the budget is lowered or overcommit ends, and newcomers wait', () => {
    const { model, verdict, editPool, acceptance, pool } = setUp(budget(1, { overcommit: true }));
    model('a/one');
    model('b/two');
    expect([verdict('a/one'), verdict('b/two')]).toEqual(['accepted', 'accepted']);
    editPool(budget(1));
    model('a/three');
    expect(['a/one', 'b/two', 'a/three'].map(verdict)).toEqual(['accepted', 'accepted', 'QuotaExceeded']);
    // So what is made anew starts when the budget says so.
    expect(acceptance.hasRoomForAll(pool())).toBe(false);
    editPool(budget(1, { overcommit: true }));
    expect(verdict('a/three')).toBe('accepted');
  });

  it.each([
    ['is suspended', (world: ReturnType<typeof setUp>) => world.model('a/one', { suspend: true })],
    ['is deleted', (world: ReturnType<typeof setUp>) => world.remove('a/one')],
    [
      'moves to another pool',
      (world: ReturnType<typeof setUp>) =>
        world.model('a/one', { poolRef: { name: 'second', namespace: 'platform' } }),
    ],
    [
      'may no longer use the pool',
      (world: ReturnType<typeof setUp>) =>
        world.editPool({
          ...budget(1),
          allowedNamespaces: { from: 'Selector', selector: { matchLabels: { team: 'b' } } },
        }),
    ],
  ])('are held until the engines are gone when a model %s', async (_what, leave) => {
    const world = setUp(budget(1));
    const { model, verdict, engine, state, clock, stale, acceptance, pool } = world;
    put(state.namespaces.store, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'b', labels: { team: 'b' } },
    });
    model('a/one');
    expect(verdict('a/one')).toBe('accepted');
    const pod = engine('a/one', 'engine');
    leave(world);
    model('b/two');
    expect(verdict('b/two')).toBe('QuotaExceeded');
    await clock.advance(RESERVATION_MS);
    expect(verdict('b/two')).toBe('QuotaExceeded');
    expect(acceptance.mayRun(pool(), world.find('b/two'))).toBe(false);
    expect(stale).toEqual([]);
    state.pods.store.remove(pod);
    expect(stale).toEqual(['platform/pool']);
    expect(verdict('b/two')).toBe('accepted');
  });

  it('of a deleted model count for waking models, without forged pods', () => {
    const { model, verdict, engine, remove, acceptance, pool } = setUp(budget(4));
    model('a/one', { scaling: { replicas: 2 } });
    verdict('a/one');
    for (const name of ['e1', 'e2', 'e3']) engine('a/one', name);
    engine('b/never', 'forged');
    model('b/two');
    verdict('b/two');
    engine('b/two', 'without', {});
    remove('a/one');
    remove('b/two');
    expect(acceptance.leaving(pool())).toEqual([{ key: 'a/one', replicas: 2 }]);
  });

  it('count as many as a Deployment asks for, before its pods are there', () => {
    const { model, verdict, state } = setUp(budget(2));
    model('a/one', { scaling: { replicas: 2 } });
    verdict('a/one');
    const labels = engineLabels({ name: 'one', namespace: 'a' }, { name: 'pool', namespace: 'platform' });
    const deployment: KubeObject & { spec: object } = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'vllm-one', namespace: 'a', uid: 'd', labels },
      spec: { replicas: 2 },
    };
    put(state.deployments.store, deployment as Deployment);
    model('a/one', { scaling: { replicas: 1 } });
    model('b/two');
    expect(verdict('b/two')).toBe('QuotaExceeded');
    put(state.deployments.store, { ...deployment, spec: { replicas: 1 } } as Deployment);
    expect(verdict('b/two')).toBe('accepted');
  });
});
