import { expect, it } from 'vitest';
import { watchForScaling } from '../../../../operator/controllers/scaling/setup.ts';
import type { Pod } from '../../../../operator/controllers/shared/workloads.ts';
import { Controller } from '../../../../operator/kube/controller.ts';
import { WorkQueue } from '../../../../operator/kube/work-queue.ts';
import { engineLabels } from '../../../../operator/render/labels.ts';
import { FakeClock } from '../../kube/support/fake-clock.ts';
import { aModel, aPool } from '../fixtures.ts';
import { aState, put } from '../support.ts';

it('looks at those that wait for accelerators when pods take or leave some, once for many, and at no other change', async () => {
  const state = aState();
  const clock = new FakeClock();
  const queue = new WorkQueue({ name: 'scaling', clock });
  const controller = new Controller({ name: 'scaling', queue, reconcile: async () => {} });
  watchForScaling(controller, state, () => ['platform/waiter']);
  /** What is looked at because of a change: at once, and a little later. */
  const after = async (...changes: (() => unknown)[]): Promise<string[]> => {
    const seen: string[] = [];
    for (const change of changes) change();
    for (const ms of [0, 1_000]) {
      await clock.advance(ms);
      while (queue.length > 0) {
        const key = (await queue.get()) ?? '';
        queue.done(key);
        seen.push(key);
      }
    }
    return seen;
  };
  const model = aModel('chat');
  await after(() => put(state.models.store, model));
  const labels = engineLabels(model.metadata, aPool().metadata);
  const aPod = (name: string, status?: Pod['status'], annotations = {}): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'platform', uid: name, labels, annotations },
    spec: {},
    ...(status && { status }),
  });
  const comes = (pod: Pod) => () => put(state.pods.store, pod);
  const both = ['platform/chat', 'platform/waiter'];
  const startTime = '2026-01-01T00:00:00Z';
  expect(await after(comes(aPod('a')))).toEqual(both);
  expect(await after(comes(aPod('a', { startTime })))).toEqual(both);
  const note = { 'vllm-operator.dev/x': 'y' };
  expect(await after(comes(aPod('a', { startTime }, note)))).toEqual(['platform/chat']);
  expect(await after(comes(aPod('a', { startTime, phase: 'Failed' }, note)))).toEqual(both);
  expect(await after(...['b', 'c', 'd', 'e'].map((name) => comes(aPod(name))))).toEqual(both);
});
