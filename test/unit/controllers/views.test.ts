import { Registry } from 'prom-client';
import { expect, it, vi } from 'vitest';
import { createContext } from '../../../operator/controllers/shared/context.ts';
import type { Pod } from '../../../operator/controllers/shared/workloads.ts';
import { createViews } from '../../../operator/controllers/views.ts';
import type { KubeClient } from '../../../operator/kube/client.ts';
import { silentLogger } from '../../../operator/kube/logger.ts';
import { MODEL_LABEL } from '../../../operator/render/labels.ts';
import { FakeClock } from '../kube/support/fake-clock.ts';
import { aModel } from './fixtures.ts';
import { aGrantStore, put } from './support.ts';

it('no pod with the label of a model costs a look at all others, while the model does not start', () => {
  const context = createContext({
    client: aGrantStore() as unknown as KubeClient,
    namespace: 'operator',
    identity: 'test',
    clock: new FakeClock(),
    log: silentLogger,
    registry: new Registry(),
  });
  const { coldStarts } = createViews(context);
  const { models, pods } = context.state;
  const { uid = '' } = put(models.store, aModel('m')).metadata;
  const lookUps = vi.spyOn(pods.store, 'byIndex');
  const labelled = (name: string): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'platform', uid: name, labels: { [MODEL_LABEL]: 'm' } },
    spec: {},
  });
  pods.store.replace(
    Array.from({ length: 100 }, (_, i) => labelled(`pod-${i}`)),
    '1',
  );
  expect(lookUps).not.toHaveBeenCalled();
  coldStarts.scaled(uid);
  put(pods.store, labelled('engine'));
  expect(lookUps).toHaveBeenCalledTimes(1);
});
