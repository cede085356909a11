import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ConfigMap } from '../../../../operator/controllers/shared/workloads.ts';
import { listUsage, usageConfigMap } from '../../../../operator/controllers/usage/usage-record.ts';
import { CONFIG_MAPS } from '../../../../operator/kube/resource-types.ts';
import { MiniApi } from '../../kube/support/mini-api.ts';
import { aPool } from '../fixtures.ts';

let api: MiniApi;
beforeEach(async () => {
  api = await MiniApi.start();
});
afterEach(() => api.close());

it('lists the records of pools, and nothing of ConfigMaps that any team can label as such', async () => {
  const pool = aPool();
  const record = usageConfigMap(pool, 'open', 'team', '{}');
  const forged = (namespace: string, uid: string): ConfigMap => ({
    ...record,
    metadata: {
      ...record.metadata,
      name: `forged-${uid}`,
      namespace,
      ownerReferences: [{ apiVersion: pool.apiVersion, kind: pool.kind, name: 'pool', uid }],
    },
  });
  const all = [record, forged('team', 'pool-uid'), forged('team', 'other'), forged('platform', 'other')];
  for (const each of all) api.store.put(CONFIG_MAPS, each);
  const found = await listUsage(api.client(), [pool], {});
  expect(found.map(({ metadata }) => metadata.name)).toEqual([record.metadata.name]);
});
