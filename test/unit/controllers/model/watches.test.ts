import { expect, it, vi } from 'vitest';
import { watchForModels } from '../../../../operator/controllers/model/setup.ts';
import type { Autoscaler, VolumeClaim } from '../../../../operator/controllers/shared/workloads.ts';
import { Controller } from '../../../../operator/kube/controller.ts';
import { engineName } from '../../../../operator/render/names.ts';
import { aModel } from '../fixtures.ts';
import { aState, put } from '../support.ts';

function anAutoscaler(name: string, kind: string, target: string): Autoscaler {
  const scaleTargetRef = { apiVersion: 'apps/v1', kind, name: target };
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name, namespace: 'platform', uid: name },
    spec: { scaleTargetRef },
  };
}

function aClaim(name: string): VolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace: 'platform', uid: name },
    spec: {},
  };
}

/** A state with a controller that watches it, and what that looked at. */
async function watched() {
  const state = aState();
  const looks = vi.fn((_key: string) => {});
  const controller = new Controller({
    name: 'inferencemodel',
    concurrency: 1,
    reconcile: async (key) => looks(key),
  });
  watchForModels(controller, state);
  return { state, controller, looks };
}

it('looks at the model that an autoscaler scales or a claim belongs to', async ({ onTestFinished }) => {
  const { state, controller, looks } = await watched();
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  const claim = { model: { source: 'pvc://weights/llama' } };
  for (const model of [aModel('a'), aModel('b'), aModel('c', claim)]) put(state.models.store, model);
  await vi.waitFor(() => expect(looks).toHaveBeenCalledTimes(3));
  const seen = async (change: () => void) => {
    looks.mockClear();
    change();
    await vi.waitFor(() => expect(looks).toHaveBeenCalled());
    return looks.mock.calls.flat();
  };
  const { otherAutoscalers, userClaims } = state;
  const ofDeployment = anAutoscaler('one', 'Deployment', engineName('a'));
  expect(await seen(() => put(otherAutoscalers.store, ofDeployment))).toEqual(['platform/a']);
  const ofModel = anAutoscaler('two', 'InferenceModel', 'b');
  expect(await seen(() => put(otherAutoscalers.store, ofModel))).toEqual(['platform/b']);
  expect(await seen(() => put(userClaims.store, aClaim('weights')))).toEqual(['platform/c']);
});

it('looks through no models of a team for each of its autoscalers and claims', async () => {
  const { state } = await watched();
  const many = 100;
  const names = Array.from({ length: many }, (_, i) => `m${i}`);
  state.models.store.replace(
    names.map((name) => aModel(name)),
    '1',
  );
  const lookUps = vi.spyOn(state.models.store, 'byIndex');
  const autoscalers = names.map((name) => anAutoscaler(name, 'Deployment', engineName(name)));
  state.otherAutoscalers.store.replace(autoscalers, '1');
  state.userClaims.store.replace(names.map(aClaim), '1');
  const found = lookUps.mock.results.reduce((sum, { value }) => sum + value.length, 0);
  expect(found).toBe(many);
});
