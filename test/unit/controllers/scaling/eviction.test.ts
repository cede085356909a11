import { expect, it } from 'vitest';
import type { InferenceModel } from '../../../../operator/api/types.ts';
import { AcceleratorBudget } from '../../../../operator/controllers/scaling/accelerator-budget.ts';
import { Lifecycles } from '../../../../operator/controllers/scaling/lifecycles.ts';
import { ReplicasWriter } from '../../../../operator/controllers/scaling/replicas-writer.ts';
import { Departures } from '../../../../operator/controllers/shared/departures.ts';
import { Resolutions } from '../../../../operator/controllers/shared/resolutions.ts';
import type { KubeClient } from '../../../../operator/kube/client.ts';
import { keyOf } from '../../../../operator/kube/key.ts';
import { engineLabels } from '../../../../operator/render/labels.ts';
import { DemandTracker } from '../../../../operator/scaling/demand.ts';
import { FakeClock } from '../../kube/support/fake-clock.ts';
import { aModel, aPool } from '../fixtures.ts';
import { anAcceptance, aState, put } from '../support.ts';

/** A pool of two accelerators with overcommit. Two idle models have one each, and a third one wants one. */
function fullPool() {
  const state = aState();
  const clock = new FakeClock();
  const pool = put(state.pools.store, aPool({ capacity: { accelerators: 2, overcommit: true } }));
  const models = state.models.store;
  const idle = (name: string, priority: number): InferenceModel => {
    const scaling = { minReplicas: 0, maxReplicas: 1 };
    const model = put(models, aModel(name, { priority, scaling, engine: { drainTimeout: '30s' } }));
    const labels = engineLabels(model.metadata, pool.metadata);
    const metadata = { name: `vllm-${name}`, namespace: 'platform', uid: `engine-${name}`, labels };
    put(state.deployments.store, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { replicas: 1 },
    });
    put(state.pods.store, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      spec: { containers: [{ name: 'engine', resources: { limits: { 'nvidia.com/gpu': '1' } } }] },
      status: {
        phase: 'Running',
        startTime: '2026-01-01T00:00:00Z',
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    });
    return model;
  };
  const victims = { low: idle('low', -5), high: idle('high', 0) };
  const waiter = put(models, aModel('waiter', { scaling: { minReplicas: 0, maxReplicas: 1 } }));
  const demand = new DemandTracker({
    clock,
    models,
    isModelOf: () => true,
    onHeld: () => {},
    onBusy: () => {},
  });
  demand.setRouters(keyOf(pool), []);
  const budget = new AcceleratorBudget({
    state,
    resolutions: new Resolutions(state),
    acceptance: anAcceptance(state),
    lifecycles: new Lifecycles(models),
    replicas: new ReplicasWriter(undefined as unknown as KubeClient, models),
    departures: new Departures(models),
    demand,
    minReplicas: () => 0,
  });
  /** Names of the models that are to go when the waiter asks at a moment, in milliseconds. */
  const evictedAt = (now: number) => {
    budget.ask(pool, waiter, 1, now);
    return Object.entries(victims)
      .filter(([, { metadata }]) => budget.evictedFor(metadata.uid ?? '') !== undefined)
      .map(([name]) => name);
  };
  /** Whether others are to give up what they do not need, after the waiter has asked for so many. */
  const isShortFor = (replicas: number) => {
    budget.ask(pool, waiter, replicas, 0);
    return budget.isShort(pool);
  };
  return { evictedAt, isShortFor };
}

it('takes another model when one that is to make room does not go', () => {
  const { evictedAt } = fullPool();
  expect(evictedAt(0)).toEqual(['low']);
  expect(evictedAt(30_000)).toEqual(['low']);
  expect(evictedAt(30_000 + 60_000)).toEqual(['high']);
  expect(evictedAt(30_000 + 60_000 + 1)).toEqual(['high']);
});

it('asks nobody to hurry for a model that asks for more than can become free', () => {
  expect(fullPool().isShortFor(1)).toBe(true);
  expect(fullPool().isShortFor(3)).toBe(false);
});
