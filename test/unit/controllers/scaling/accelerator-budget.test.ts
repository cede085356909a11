import { expect, it } from 'vitest';
import type { InferencePool } from '../../../../operator/api/types.ts';
import type { AcceptanceCache } from '../../../../operator/controllers/acceptance/acceptance-cache.ts';
import { AcceleratorBudget } from '../../../../operator/controllers/scaling/accelerator-budget.ts';
import { Lifecycles } from '../../../../operator/controllers/scaling/lifecycles.ts';
import { ReplicasWriter } from '../../../../operator/controllers/scaling/replicas-writer.ts';
import { byModel, type ClusterState } from '../../../../operator/controllers/shared/cluster-state.ts';
import { Departures } from '../../../../operator/controllers/shared/departures.ts';
import { Resolutions } from '../../../../operator/controllers/shared/resolutions.ts';
import type { Deployment, Pod } from '../../../../operator/controllers/shared/workloads.ts';
import type { KubeClient } from '../../../../operator/kube/client.ts';
import { Store } from '../../../../operator/kube/store.ts';
import { poolKeyOf } from '../../../../operator/model/pool-key.ts';
import { EVACUATING_LABEL, engineLabels } from '../../../../operator/render/labels.ts';
import { DemandTracker } from '../../../../operator/scaling/demand.ts';
import { FakeClock } from '../../kube/support/fake-clock.ts';
import { aModel, aPool } from '../fixtures.ts';

const pool = aPool({ capacity: { accelerators: 4 } });
const model = aModel('chat', { scaling: { minReplicas: 0, maxReplicas: 2 } });

/** The budget of a pool of four accelerators whose one model is to have two engines of one each. */
function budgetOf(
  pods: {
    name: string;
    released?: boolean;
    ending?: boolean;
    phase?: string;
    /** Whether a kubelet has taken it. */
    started?: boolean;
    accelerators?: string;
    /** Kind of its controller. */
    owner?: string;
  }[],
  replicas = 2,
) {
  const models = new Store({ indexes: { byPool: (one: typeof model) => [poolKeyOf(one)] } });
  models.upsert(model);
  const deployments = new Store<Deployment>();
  deployments.upsert({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'vllm-chat', namespace: 'platform' },
    spec: { replicas },
  });
  const engines = new Store<Pod>({ indexes: { byModel } });
  for (const pod of pods) {
    const { name, released, ending, phase = 'Running', started = true, accelerators = '1', owner } = pod;
    engines.upsert({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        namespace: 'platform',
        uid: name,
        labels: {
          ...engineLabels(model.metadata, pool.metadata),
          ...(released && { [EVACUATING_LABEL]: 'true' }),
        },
        ...(ending && { deletionTimestamp: 'now' }),
        ...(owner && {
          ownerReferences: [
            { apiVersion: 'apps/v1', kind: owner, name: 'owner', uid: 'owner', controller: true },
          ],
        }),
      },
      spec: {
        containers: [{ name: 'engine', resources: { limits: { 'nvidia.com/gpu': accelerators } } }],
      },
      status: { phase, ...(started && { startTime: '2026-01-01T00:00:00Z' }) },
    });
  }
  const departures = new Departures(models);
  const state = { models: { store: models }, deployments: { store: deployments }, pods: { store: engines } };
  const budget = new AcceleratorBudget({
    state: state as unknown as ClusterState,
    resolutions: new Resolutions({ pools: { store: new Store<InferencePool>() }, models: { store: models } }),
    acceptance: {
      models: () => models.list(),
      verdict: () => ({ accepted: true }),
      leaving: () => [],
    } as unknown as AcceptanceCache,
    lifecycles: new Lifecycles(models),
    replicas: new ReplicasWriter(undefined as unknown as KubeClient, models),
    departures,
    demand: new DemandTracker({
      clock: new FakeClock(),
      models,
      isModelOf: () => true,
      onHeld: () => {},
      onBusy: () => {},
    }),
    minReplicas: () => 0,
  });
  return { departures, room: () => budget.room(pool, model, 0) };
}

it('counts an engine that leaves its node beside those that are to be there', () => {
  expect(budgetOf([{ name: 'a' }, { name: 'b' }]).room()).toBe(2);
  expect(budgetOf([{ name: 'a', released: true }, { name: 'b' }]).room()).toBe(1);
  expect(budgetOf([{ name: 'a', released: true }, { name: 'b' }, { name: 'c' }]).room()).toBe(1);
  expect(budgetOf([{ name: 'a', released: true, ending: true }, { name: 'b' }]).room()).toBe(1);
  expect(budgetOf([{ name: 'a', released: true, phase: 'Failed' }, { name: 'b' }]).room()).toBe(2);
});

it('counts an engine once that only has the label of those that leave, because its ReplicaSet does not replace it', () => {
  const owner = 'ReplicaSet';
  expect(
    budgetOf([
      { name: 'a', released: true, owner },
      { name: 'b', owner },
    ]).room(),
  ).toBe(2);
  expect(
    budgetOf([
      { name: 'a', released: true, owner: 'Deployment' },
      { name: 'b', owner },
    ]).room(),
  ).toBe(1);
});

it('counts of other pods with the labels of its engines only those that hold accelerators', () => {
  const engines = [{ name: 'a' }, { name: 'b' }];
  expect(budgetOf([...engines, { name: 'c', accelerators: '0' }]).room()).toBe(2);
  expect(budgetOf([...engines, { name: 'c', started: false }]).room()).toBe(2);
  expect(budgetOf([...engines, { name: 'c', started: false, ending: true }]).room()).toBe(2);
  expect(budgetOf([...engines, { name: 'c', accelerators: '0', released: true }]).room()).toBe(2);
  expect(budgetOf([...engines, { name: 'c' }]).room()).toBe(1);
});

it('charges no more replicas than a model may have, whatever its Deployment says for a moment', () => {
  expect(budgetOf([{ name: 'a' }, { name: 'b' }], 1_000).room()).toBe(2);
});

it('counts it before the local copy shows that it leaves', () => {
  const { departures, room } = budgetOf([{ name: 'a' }, { name: 'b' }]);
  departures.setReleasing(model.metadata.uid ?? '', new Set(['a']));
  expect(room()).toBe(1);
});
