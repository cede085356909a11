/** Schedules that pass the schema and still cannot be read: told, and nothing else suffers. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findCondition } from '../../../operator/kube/conditions.ts';
import { DEPLOYMENTS } from '../../../operator/kube/resource-types.ts';
import { Harness } from './support/harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.start();
  await harness.startOperator();
});
afterAll(() => harness.close());

it('a time zone that does not exist makes the model Stalled, and leaves its neighbours alone', async () => {
  const namespace = await harness.namespace();
  await harness.createPool(namespace, { capacity: { accelerators: 2, overcommit: true } });
  const schedules = [
    { name: 'day', start: '0 8 * * *', end: '0 18 * * *', timeZone: 'Mars/Olympus', minReplicas: 1 },
  ];
  await harness.createModel(namespace, 'wrong', { scaling: { minReplicas: 0, maxReplicas: 1, schedules } });
  await harness.createModel(namespace, 'right', { scaling: { minReplicas: 1, maxReplicas: 1 } });
  const wrong = await harness.untilCondition(namespace, 'wrong', 'Stalled', 'True', 'InvalidSpec');
  expect(findCondition(wrong.status?.conditions, 'Stalled')?.message).toMatch(/Mars\/Olympus/);
  await harness.until(DEPLOYMENTS, namespace, 'vllm-right', 'is woken', (object) =>
    JSON.stringify(object).includes('"replicas":1'),
  );
});

it('status shows the open windows and the next change', async () => {
  const namespace = await harness.namespace();
  await harness.createPool(namespace);
  const schedules = [
    { name: 'always', start: '* * * * *', end: '0 0 29 2 *', minReplicas: 2, maxReplicas: 3 },
  ];
  await harness.createModel(namespace, 'chat', { scaling: { minReplicas: 0, maxReplicas: 1, schedules } });
  const model = await harness.untilCondition(namespace, 'chat', 'Accepted', 'True');
  expect(model.status?.schedule?.open).toEqual(['always']);
  await harness.until(DEPLOYMENTS, namespace, 'vllm-chat', 'has the minimum of the window', (object) =>
    JSON.stringify(object).includes('"replicas":2'),
  );
});

it('schedules of a model that the pool does not accept are not computed', async () => {
  const [platform, team] = [await harness.namespace(), await harness.namespace()];
  await harness.createPool(platform, { allowedNamespaces: { from: 'Same' } });
  const schedules = [{ name: 'always', start: '* * * * *', end: '0 0 29 2 *', minReplicas: 2 }];
  await harness.createModel(team, 'chat', {
    poolRef: { name: 'pool', namespace: platform },
    scaling: { minReplicas: 0, maxReplicas: 2, schedules },
  });
  const model = await harness.untilCondition(team, 'chat', 'Stalled', 'True', 'NamespaceNotAllowed');
  expect(model.status?.schedule).toBeUndefined();
});
