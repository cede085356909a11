import { describe, expect, it } from 'vitest';
import { inferenceModelStatus } from '../../../../operator/api/inference-model.ts';
import { type ModelView, modelStatus } from '../../../../operator/controllers/model/model-status.ts';
import type { Phase } from '../../../../operator/scaling/phase.ts';
import { aModel } from '../fixtures.ts';

/** Type, status and reason of the conditions of a model without replicas. */
function asleep(view: Partial<ModelView>): Record<string, string> {
  const health = { desired: 0, pods: 0, ready: 0, rolling: false };
  const status = modelStatus({ model: aModel('chat'), now: 0, health, routeState: 'served', ...view });
  return Object.fromEntries(
    (status.conditions ?? []).map((condition) => [condition.type, `${condition.status} ${condition.reason}`]),
  );
}

it('shows a drain before its end: streams that run on can make it long', () => {
  const health = { desired: 1, pods: 1, ready: 1, rolling: false };
  const state = (phase: Phase) => modelStatus({ model: aModel('chat'), now: 0, health, phase }).state;
  expect([state({ is: 'Serving' }), state({ is: 'Draining', since: 0 })]).toEqual(['Serving', 'Draining']);
});

it('shows the advice of the last leader until this one has advised the model', () => {
  const health = { desired: 0, pods: 0, ready: 0, rolling: false };
  const [old, other] = ['lower minReplicas from 6 to 4', 'lower minReplicas from 4 to 2'].map((change) => [
    { rule: 'ReplicasUnused', change },
  ]);
  const model = { ...aModel('chat'), status: { ...(old && { advice: old }) } };
  const shown = (view: Partial<ModelView>) => modelStatus({ model, now: 0, health, ...view });
  expect(shown({}).advice).toEqual(old);
  expect(shown({ ...(other && { advice: other }) }).advice).toEqual(other);
  expect(shown({ advice: [] })).not.toHaveProperty('advice');
});

describe('a model without replicas', () => {
  it('is as it should be where it may sleep', () => {
    expect(asleep({ wakes: true, leastReplicas: 0 })).toMatchObject({
      Ready: 'True Idle',
      Available: 'True Idle',
      Reconciling: 'False Idle',
    });
  });

  it('is not Ready where it must run: in a pool with overcommit it starts with none', () => {
    expect(asleep({ wakes: true, leastReplicas: 1 })).toMatchObject({
      Ready: 'False EnginesStarting',
      Available: 'True Idle',
      Reconciling: 'True EnginesStarting',
    });
    expect(asleep({ wakes: false, leastReplicas: 2 })).toMatchObject({
      Ready: 'False EnginesStarting',
      Available: 'False NoReplicas',
    });
  });

  it('is Ready in the queue only if it has no minimum', () => {
    expect(asleep({ wakes: true, leastReplicas: 0, queuePosition: 2 }).Ready).toBe(
      'True WaitingForAccelerators',
    );
    expect(asleep({ wakes: true, leastReplicas: 1, queuePosition: 2 }).Ready).toBe(
      'False WaitingForAccelerators',
    );
  });

  it('is not Stalled if the number is fixed at zero', () => {
    expect(asleep({ wakes: false, leastReplicas: 0 })).toMatchObject({
      Ready: 'True Idle',
      Available: 'False NoReplicas',
    });
  });
});

describe('a model whose engines are replaced', () => {
  const rolling = { desired: 1, pods: 2, ready: 1, rolling: true };
  const problem = (needsUser: boolean) => ({
    reason: 'EngineCrashed' as const,
    message: 'vLLM ended',
    lastingMessage: 'vLLM ended',
    needsUser,
  });

  it.each([
    ['goes on', undefined, 'False RolloutInProgress', 'False RolloutInProgress'],
    ['cannot be scheduled or is tried again', problem(false), 'False EngineCrashed', 'False EngineCrashed'],
    ['has failed', problem(true), 'False EngineCrashed', 'True EngineCrashed'],
  ])('is not Ready, and available, while that %s', (_, found, ready, stalled) => {
    const health = { ...rolling, ...(found && { problem: found }) };
    expect(asleep({ health, routersReady: true })).toMatchObject({
      Ready: ready,
      Stalled: stalled,
      Available: 'True EnginesReady',
    });
  });
});

it('a model with one ready and one crashed engine is Ready with a matching reason', () => {
  const problem = {
    reason: 'EngineCrashed' as const,
    message: 'vLLM ended',
    lastingMessage: 'vLLM ended',
    needsUser: true,
  };
  const health = { desired: 2, pods: 2, ready: 1, rolling: false, problem };
  const { conditions } = modelStatus({ model: aModel('chat'), now: 0, health, routeState: 'served' });
  expect(conditions?.find(({ type }) => type === 'Ready')?.message).toBe('EngineCrashed: vLLM ended');
  expect(asleep({ health, routersReady: true, routeState: 'served' })).toMatchObject({
    Ready: 'True Degraded',
    Reconciling: 'True Degraded',
    Available: 'True EnginesReady',
  });
});

describe('a model that no router of the pool serves', () => {
  it.each([
    ['with engines', { desired: 1, pods: 1, ready: 1, rolling: false }],
    ['asleep', { desired: 0, pods: 0, ready: 0, rolling: false }],
  ])('is not available: %s', (_, health) => {
    expect(asleep({ health, routersReady: false, routeState: undefined, wakes: true })).toMatchObject({
      Ready: 'False RoutesPending',
      Available: 'False RoutersNotReady',
    });
  });
});

it('says after a failed wake how to get at the log, as the pods are gone', () => {
  const wakeFailure = { reason: 'EngineCrashed' as const, message: 'vLLM exited with exit code 1' };
  const health = { desired: 0, pods: 0, ready: 0, rolling: false };
  const status = modelStatus({ model: aModel('chat'), now: 0, health, wakes: true, wakeFailure });
  const message = status.conditions?.find(({ type }) => type === 'Stalled')?.message;
  expect(message).toContain('minReplicas to 1');
  expect(message).not.toContain('kubectl logs');
});

it('is one that the API server takes, whatever the spec says of sizes and prices', () => {
  const huge = Number('9999999999999999') * 1.9;
  const plan = {
    weightsGiB: huge,
    overheadGiB: huge,
    kvCacheGiB: huge,
    kvCacheTokens: 2 ** 60,
    maxModelLen: 1,
    sequencesAtFullLength: huge,
    summary: '',
  };
  const health = { desired: 1, pods: 1000, ready: 1, rolling: false };
  const price = { acceleratorsPerReplica: 8, hourlyCost: '9999999999999999' };
  const status = modelStatus({ model: aModel('chat'), now: 0, health, plan, ...price });
  expect(inferenceModelStatus.parse(status)).toMatchObject({ plan: { weightsGiB: '9999999999999.0' } });
});

it('says which tier of degradation is active, and what it limits', () => {
  const health = { desired: 1, pods: 1, ready: 1, rolling: false };
  const tiers = [
    { queueAbove: 1, maxTokens: 512 },
    { queueAbove: 9, maxTokens: 64, maxPromptTokens: 4096, inFlightPercent: 50 },
  ];
  const status = (active: number) =>
    modelStatus({ model: aModel('chat'), now: 0, health, degradation: { active, tiers } });
  const message = (active: number) =>
    status(active).conditions?.find(({ type }) => type === 'Available')?.message;
  expect([message(0), status(0).degradationTier]).toEqual(['requests are answered', undefined]);
  expect([message(2), status(2).degradationTier]).toEqual([
    'requests are answered; degradation tier 2 of 2 is active at a router: responses have at most 64 tokens, prompts of more than 4096 tokens get 413, 50 % of the capacity is used',
    2,
  ]);
});

it('says which settings of the engine profile apply', () => {
  const health = { desired: 1, pods: 1, ready: 1, rolling: false };
  const profile = 'Latency (batching.maxNumSeqs 64)';
  const status = modelStatus({ model: aModel('chat'), now: 0, health, profile });
  expect(status.conditions?.find(({ type }) => type === 'Accepted')?.message).toBe(
    'the pool accepts this model. Engine profile: Latency (batching.maxNumSeqs 64)',
  );
});
