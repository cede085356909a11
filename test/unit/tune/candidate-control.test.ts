/** The candidate on an API server whose operator is a script: each read of the candidate shows the next status. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { INFERENCE_MODELS, type InferenceModel } from '../../../operator/api/types.ts';
import { PODS } from '../../../operator/kube/resource-types.ts';
import { CANDIDATE_LABEL, IN_USE_UNTIL } from '../../../operator/tune/candidate.ts';
import { CandidateControl } from '../../../operator/tune/candidate-control.ts';
import { ProfileFailedError } from '../../../operator/tune/failure.ts';
import { fastClock, NEVER_MS, waitedClock } from '../kube/support/fake-clock.ts';
import { MiniApi } from '../kube/support/mini-api.ts';

type Said = readonly [ready: 'True' | 'False', reason: string, message?: string, stalled?: boolean];

const READY: Said = ['True', 'EnginesReady', 'all engines are ready'];
const ASLEEP: Said = ['True', 'Idle', 'asleep'];
const STARTING: Said = ['False', 'EnginesStarting', 'waiting for the first engine'];
const SETTINGS = { 'engine.batching.maxNumSeqs': 128, 'admission.queueTimeout': '9s' };

const chat: InferenceModel = {
  apiVersion: 'vllm-operator.dev/v1alpha1',
  kind: 'InferenceModel',
  metadata: { name: 'chat', namespace: 'team', uid: 'uid-chat' },
  spec: {
    poolRef: { name: 'shared', namespace: 'platform' },
    model: { source: 'hf://Qwen/Qwen3-8B', servedNames: ['chat', 'gpt'], trustRemoteCode: false },
    engine: {
      maxModelLen: 4096,
      batching: { maxNumSeqs: 32, chunkedPrefill: true },
      lora: { maxLoras: 2, adapters: [{ name: 'sql', source: 'hf://team/sql' }] },
    },
    scaling: { minReplicas: 2, maxReplicas: 8 },
    admission: { maxQueue: 3, queueTimeout: '1s' },
    priority: 10,
    suspend: false,
  },
};

class Scene {
  readonly api: MiniApi;
  readonly control: CandidateControl;
  readonly signal = new AbortController().signal;
  woken = 0;
  /** What the operator says next; the last one stays. */
  script: Said[] = [];

  private constructor(api: MiniApi) {
    this.api = api;
    this.control = new CandidateControl({
      client: api.client({ clock: fastClock(200), requestTimeoutMs: NEVER_MS }),
      model: chat,
      readyTimeoutMs: 60_000,
      wake: async () => {
        this.woken += 1;
      },
      clock: waitedClock(),
      say: () => undefined,
    });
    api.fault = ({ method, path }) => {
      if (method === 'GET' && path.endsWith('/tune-chat')) this.#next();
      return undefined;
    };
  }

  static async open(...script: Said[]): Promise<Scene> {
    const api = await MiniApi.start();
    onTestFinished(() => api.close());
    const scene = new Scene(api);
    api.store.put(INFERENCE_MODELS, chat);
    scene.script = script;
    return scene;
  }

  get candidate(): InferenceModel | undefined {
    return this.api.store.list(INFERENCE_MODELS).find(({ metadata }) => metadata.name === 'tune-chat') as
      | InferenceModel
      | undefined;
  }

  #next(): void {
    const { candidate } = this;
    const [said] = this.script;
    if (!candidate || !said) return;
    if (this.script.length > 1) this.script.shift();
    const [status, reason, message = reason, stalled = false] = said;
    const before = candidate.status?.conditions?.find(({ type }) => type === 'Ready');
    const changed = new Date(Date.UTC(2026, 0, 1) + this.api.store.version * 1000).toISOString();
    const lastTransitionTime = before?.status === status ? before.lastTransitionTime : changed;
    const ready = { type: 'Ready', status, reason, message, lastTransitionTime };
    const conditions = [ready, { ...ready, type: 'Stalled', status: stalled ? 'True' : 'False' }];
    this.api.store.put(INFERENCE_MODELS, {
      ...candidate,
      status: { conditions, selector: 'model=tune-chat' },
    } as never);
  }
}

async function failureOf(work: Promise<unknown>) {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ProfileFailedError)) throw error;
  return error.failure;
}

describe('the start of a candidate', () => {
  test('wakes it and waits until it is ready', async () => {
    const scene = await Scene.open(ASLEEP, STARTING, READY);

    expect(await scene.control.start(SETTINGS, scene.signal)).toBeGreaterThan(0);
    expect(scene.woken).toBe(1);
  });

  test('gives it the settings, and nothing with which it could get into the way of others', async () => {
    const scene = await Scene.open(READY);
    await scene.control.start(SETTINGS, scene.signal);

    expect(scene.candidate?.metadata).toMatchObject({
      namespace: 'team',
      labels: { [CANDIDATE_LABEL]: 'chat' },
      ownerReferences: [{ kind: 'InferenceModel', name: 'chat', uid: 'uid-chat' }],
    });
    expect(scene.candidate?.spec).toEqual({
      poolRef: { name: 'shared', namespace: 'platform' },
      model: { source: 'hf://Qwen/Qwen3-8B', servedNames: ['tune-chat'], trustRemoteCode: false },
      engine: {
        maxModelLen: 4096,
        batching: { maxNumSeqs: 128, chunkedPrefill: true },
        lora: { maxLoras: 2 },
      },
      scaling: { minReplicas: 0, maxReplicas: 1, idleTimeout: '10m' },
      responseCache: { enabled: false },
      admission: { maxQueue: 2000, queueTimeout: '9s', wakeTimeout: '60s', degradation: [] },
      priority: -1_000_000,
      suspend: false,
    });
  });

  test.each<[string, Said, string]>([
    [
      'memory',
      ['False', 'EngineCrashed', 'its last lines: CUDA out of memory. Tried 2 GiB'],
      'out-of-memory',
    ],
    ['the plan', ['False', 'DoesNotFit', 'needs 30 GiB', true], 'out-of-memory'],
    ['arguments', ['False', 'EngineCrashed', 'vLLM exited with exit code 2', true], 'start-failed'],
    ['the spec', ['False', 'InvalidSpec', 'heads', true], 'refused'],
    ['time', STARTING, 'start-timeout'],
  ])('fails for want of %s', async (_, said, kind) => {
    const scene = await Scene.open(ASLEEP, STARTING, said);

    expect(await failureOf(scene.control.start(SETTINGS, scene.signal))).toMatchObject({ kind });
  });

  test('waits for accelerators that another candidate has not freed yet', async () => {
    const refused: Said = ['False', 'QuotaExceeded', 'has 0 of 2 left', true];
    const scene = await Scene.open(refused, refused, STARTING, READY);

    await scene.control.start(SETTINGS, scene.signal);
  });

  test('ends the sweep if accelerators do not become free in time', async () => {
    const scene = await Scene.open(ASLEEP, ['True', 'WaitingForAccelerators', 'position 2 in the queue']);

    await expect(scene.control.start(SETTINGS, scene.signal)).rejects.toThrow(
      /pool had no accelerators for 60 s: position 2 in the queue/,
    );
  });

  test('ends the sweep if the model is gone', async () => {
    const scene = await Scene.open(READY);
    scene.api.store.remove(INFERENCE_MODELS, 'team/chat');

    await expect(scene.control.start(SETTINGS, scene.signal)).rejects.toThrow(
      /team\/chat was deleted meanwhile/,
    );
    expect(scene.candidate).toBeUndefined();
  });

  test('ends the sweep if the pool has no room', async () => {
    const scene = await Scene.open(['False', 'QuotaExceeded', 'the pool has 0 of 2 left', true]);

    await expect(scene.control.start(SETTINGS, scene.signal)).rejects.toThrow(
      /pool does not take team\/tune-chat: QuotaExceeded: the pool has 0 of 2 left/,
    );
  });
});

describe('a load', () => {
  /** Ends only when it is aborted. */
  const endless = (signal: AbortSignal) =>
    new Promise<object>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

  async function started(): Promise<Scene> {
    const scene = await Scene.open(READY);
    await scene.control.start(SETTINGS, scene.signal);
    return scene;
  }

  test('returns what was measured while the engine stayed ready', async () => {
    const scene = await started();
    expect(await scene.control.during(5, scene.signal, async () => ({ p95: 1 }))).toEqual({ p95: 1 });
  });

  test('goes on while the API server does not answer', async () => {
    const scene = await started();
    let refused = 0;
    scene.api.fault = ({ method }) => (method === 'GET' && ++refused <= 12 ? { reset: true } : undefined);
    const untilBack = async () => {
      await expect.poll(() => refused).toBeGreaterThan(12);
      return { p95: 1 };
    };

    expect(await scene.control.during(5, scene.signal, untilBack)).toEqual({ p95: 1 });
  });

  test('is aborted when the engine dies, and its last lines are the reason', async () => {
    const scene = await started();
    scene.script = [STARTING, ['False', 'EngineCrashed', 'exit code 1; its last lines: CUDA out of memory']];

    expect(await failureOf(scene.control.during(5, scene.signal, endless))).toEqual({
      kind: 'died-under-load',
      reason: 'EngineCrashed',
      message: 'exit code 1; its last lines: CUDA out of memory',
      rate: 5,
    });
  });

  test('does not count if the engine restarted meanwhile', async () => {
    const scene = await started();
    const restarts = async () => {
      scene.script = [];
      const [ready] = scene.candidate?.status?.conditions ?? [];
      const conditions = [{ ...ready, lastTransitionTime: '2027-01-01T00:00:00Z' }];
      scene.api.store.put(INFERENCE_MODELS, { ...scene.candidate, status: { conditions } } as never);
      return {};
    };
    expect(await failureOf(scene.control.during(5, scene.signal, restarts))).toMatchObject({
      kind: 'died-under-load',
      reason: 'Restarted',
    });
  });

  test.each<[string, Said]>([
    ['sleeps', ASLEEP],
    ['waits for them again', ['True', 'WaitingForAccelerators', 'position 1 in the queue']],
  ])('ends when the pool gives the accelerators to another model, and the candidate %s', async (_, said) => {
    const scene = await started();
    scene.script = [said, ['True', 'EnginesReady']];
    expect(await failureOf(scene.control.during(5, scene.signal, endless))).toMatchObject({
      kind: 'evicted',
    });
  });

  test('ends when somebody deletes the candidate', async () => {
    const scene = await started();
    scene.api.store.remove(INFERENCE_MODELS, 'team/tune-chat');
    expect(await failureOf(scene.control.during(5, scene.signal, endless))).toMatchObject({
      kind: 'removed',
    });
  });
});

describe('removal', () => {
  test('waits for the pods', async () => {
    const scene = await Scene.open(READY);
    await scene.control.start(SETTINGS, scene.signal);
    const pod = { name: 'engine', namespace: 'team', labels: { model: 'tune-chat' } };
    scene.api.store.put(PODS, { apiVersion: 'v1', kind: 'Pod', metadata: pod });
    let lists = 0;
    scene.api.fault = ({ path, method }) => {
      if (method === 'GET' && path.endsWith('/pods') && ++lists === 3)
        scene.api.store.remove(PODS, 'team/engine');
      return undefined;
    };

    await scene.control.remove(scene.signal);

    expect(lists).toBe(3);
    expect(scene.candidate).toBeUndefined();
  });

  const leftover = (until: number, uid = 'uid-chat') => ({
    ...chat,
    metadata: {
      name: 'tune-chat',
      namespace: 'team',
      labels: { [CANDIDATE_LABEL]: 'chat' },
      annotations: { [IN_USE_UNTIL]: new Date(until).toISOString() },
      ownerReferences: [{ apiVersion: chat.apiVersion, kind: chat.kind, name: 'chat', uid }],
    },
  });

  test('of what a killed command left behind', async () => {
    const scene = await Scene.open();
    scene.api.store.put(INFERENCE_MODELS, leftover(Date.now() - 1000));

    await scene.control.clear(scene.signal);

    expect(scene.candidate).toBeUndefined();
  });

  test('not while another command uses it', async () => {
    const scene = await Scene.open();
    scene.api.store.put(INFERENCE_MODELS, leftover(Date.now() + 86_400_000));

    await expect(scene.control.clear(scene.signal)).rejects.toThrow(/in use until .* kubectl delete vmodel/);
    expect(scene.candidate).toBeDefined();
  });

  test('not of an object that only has the name and the label', async () => {
    const scene = await Scene.open();
    scene.api.store.put(INFERENCE_MODELS, leftover(0, 'uid-of-another'));

    await expect(scene.control.clear(scene.signal)).rejects.toThrow(/is no candidate of chat/);
    await expect(scene.control.delete(scene.signal)).rejects.toThrow(/is no candidate of chat/);
    expect(scene.candidate).toBeDefined();
  });
});
