import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { ScalingReconciler } from '../../../../operator/controllers/scaling/scaling-reconciler.ts';
import { createContext } from '../../../../operator/controllers/shared/context.ts';
import { createViews } from '../../../../operator/controllers/views.ts';
import type { KubeClient } from '../../../../operator/kube/client.ts';
import { keyOf } from '../../../../operator/kube/key.ts';
import { silentLogger } from '../../../../operator/kube/logger.ts';
import { controllerReference } from '../../../../operator/kube/owner-reference.ts';
import { engineLabels } from '../../../../operator/render/labels.ts';
import { account } from '../../../../operator/usage/account.ts';
import { emptyLedger } from '../../../../operator/usage/ledger.ts';
import { HOUR_MS } from '../../../../operator/usage/periods.ts';
import { FakeClock } from '../../kube/support/fake-clock.ts';
import { aModel, aPool } from '../fixtures.ts';
import { aGrantStore, put } from '../support.ts';

it('a budget that is used up stops a model also while its status cannot be written', async () => {
  const scaled: unknown[] = [];
  const client = {
    ...aGrantStore(),
    patch: async (_type: unknown, _key: unknown, { merge }: { merge: { spec: object } }) => {
      scaled.push(merge.spec);
      return { metadata: { resourceVersion: '9999' } };
    },
  } as unknown as KubeClient;
  const clock = new FakeClock();
  const context = createContext({
    ...{ client, clock, namespace: 'operator', identity: 'test' },
    ...{ log: silentLogger, registry: new Registry() },
  });
  const views = createViews(context);
  const { state, queues } = context;
  const namespaceBudgets = [{ namespace: 'platform', monthly: '10', action: 'Stop' }];
  const pool = put(
    state.pools.store,
    aPool({ accelerator: { type: 'A100', hourlyCost: '2' }, capacity: { namespaceBudgets } }),
  );
  const model = put(state.models.store, aModel('chat', { scaling: { replicas: 1 } }));
  put(state.deployments.store, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: 'vllm-chat',
      namespace: 'platform',
      uid: 'deployment',
      labels: engineLabels(model.metadata, pool.metadata),
      ownerReferences: [controllerReference(model)],
    },
    spec: { replicas: 1 },
  });
  await views.acceptance.load();
  views.demand.setRouters(keyOf(pool), []);
  const scaling = new ScalingReconciler({
    ...context,
    ...views,
    mountFailure: () => undefined,
    heldBackSince: () => 1,
    onChanged: () => {},
    onTouched: () => {},
  });
  const reconcile = async () => {
    for (let times = 0; times < 5; times++)
      await scaling.reconcile(keyOf(model), { signal: new AbortController().signal, log: silentLogger });
  };
  await reconcile();
  expect(scaled).toEqual([]);
  const pod = { uid: 'a', model: 'chat', accelerators: 1, start: clock.now(), hourlyCost: 2 };
  await clock.advance(6 * HOUR_MS);
  const seen = { allocations: [pod], sleepers: [], batches: [] };
  views.budgets.update(pool, new Map([['platform', account(emptyLedger('platform'), seen, clock.now())]]));
  expect(queues.scaling.length, 'it is looked at').toBe(1);
  await reconcile();
  expect(scaled).toEqual([{ replicas: 0 }]);
});
