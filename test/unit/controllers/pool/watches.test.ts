import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { setupPools } from '../../../../operator/controllers/pool/setup.ts';
import { createContext } from '../../../../operator/controllers/shared/context.ts';
import { createViews } from '../../../../operator/controllers/views.ts';
import type { KubeClient } from '../../../../operator/kube/client.ts';
import { KubeError } from '../../../../operator/kube/errors.ts';
import { silentLogger } from '../../../../operator/kube/logger.ts';
import type { KubeObject } from '../../../../operator/kube/object.ts';
import { FakeClock } from '../../kube/support/fake-clock.ts';
import { aPool } from '../fixtures.ts';
import { aGrantStore, put } from '../support.ts';

it('a new CA or root key concerns all pools, also those where nothing else happens', async () => {
  let secret: KubeObject | undefined;
  const client = {
    ...aGrantStore(),
    get: async () => {
      if (!secret) throw new KubeError({ code: 'NotFound', request: 'secret', message: 'not found' });
      return secret;
    },
    create: async (_type: unknown, object: KubeObject) => {
      secret = object;
    },
  } as unknown as KubeClient;
  const clock = new FakeClock();
  const context = createContext({
    ...{ client, clock, namespace: 'operator', identity: 'test' },
    ...{ log: silentLogger, registry: new Registry() },
  });
  setupPools(context, createViews(context));
  const { identity, queues, state } = context;
  const signal = new AbortController().signal;
  await identity.load(signal);
  const names = ['one', 'two'];
  for (const name of names) put(state.pools.store, aPool({}, { name, uid: name }));
  const work = [queues.inferencepool, queues.routes];
  const taken = async () =>
    await Promise.all(work.map(async (queue) => await Promise.all(names.map(() => queue.get()))));
  for (const key of names.map((name) => `platform/${name}`)) queues.routes.add(key);
  const keys = await taken();
  for (const [i, queue] of work.entries()) for (const key of keys[i] ?? []) queue.done(key ?? '');
  expect(work.map(({ length }) => length)).toEqual([0, 0]);
  secret = undefined;
  await clock.advance(3_600_000);
  await identity.load(signal);
  expect(work.map(({ length }) => length)).toEqual([2, 2]);
});
