import { expect, it } from 'vitest';
import { watchForScaling } from '../../../../operator/controllers/scaling/setup.ts';
import type { Pod } from '../../../../operator/controllers/shared/workloads.ts';
import { Controller } from '../../../../operator/kube/controller.ts';
import { engineLabels } from '../../../../operator/render/labels.ts';
import { aModel, aPool } from '../fixtures.ts';
import { aState, put } from '../support.ts';

it('looks at those that wait for accelerators when a pod takes or leaves some, and at no other change of it', async () => {
  const state = aState();
  const seen: string[] = [];
  let last = { key: '', resolve: () => {} };
  const controller = new Controller({
    name: 'scaling',
    concurrency: 1,
    reconcile: async (key) => {
      seen.push(key);
      if (key === last.key) last.resolve();
    },
  });
  watchForScaling(controller, state, () => ['platform/waiter']);
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  /** What is looked at because of the change; keys come in their order, so one that comes after it is the end. */
  let marks = 0;
  const after = async (change: () => void): Promise<string[]> => {
    seen.length = 0;
    marks += 1;
    const { promise, resolve } = Promise.withResolvers<void>();
    last = { key: `platform/mark-${marks}`, resolve };
    change();
    put(state.models.store, aModel(`mark-${marks}`));
    await promise;
    return seen.slice(0, -1);
  };
  const model = aModel('chat');
  await after(() => put(state.models.store, model));
  const labels = engineLabels(model.metadata, aPool().metadata);
  const metadata = { name: 'engine', namespace: 'platform', uid: 'engine', labels };
  const pod: Pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: {} };
  const started: Pod = { ...pod, status: { startTime: '2026-01-01T00:00:00Z' } };
  const both = ['platform/chat', 'platform/waiter'];
  expect(await after(() => put(state.pods.store, pod))).toEqual(both);
  expect(await after(() => put(state.pods.store, started))).toEqual(both);
  const noted = { ...started, metadata: { ...metadata, annotations: { 'vllm-operator.dev/x': 'y' } } };
  expect(await after(() => put(state.pods.store, noted))).toEqual(['platform/chat']);
  const ended: Pod = { ...noted, status: { ...started.status, phase: 'Failed' } };
  expect(await after(() => put(state.pods.store, ended))).toEqual(both);
  stop.abort();
  await running;
});
