/** What a sweep leaves: experiments, report, patch; and how it goes on after an interruption. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import type { InferencePool } from '../../../operator/api/types.ts';
import type { StepResult } from '../../../operator/bench/load-result.ts';
import type { Objective } from '../../../operator/bench/objective.ts';
import { systemClock } from '../../../operator/kube/clock.ts';
import { type Experiment, experimentSchema } from '../../../operator/tune/experiment.ts';
import { ExperimentStore } from '../../../operator/tune/experiment-store.ts';
import { ProfileFailedError } from '../../../operator/tune/failure.ts';
import type { Knee } from '../../../operator/tune/knee.ts';
import { checkProfile, profilePatch } from '../../../operator/tune/pool-profile.ts';
import { queueLimit } from '../../../operator/tune/queue-limit.ts';
import { settingsPatch } from '../../../operator/tune/settings-patch.ts';
import { type TuneDependencies, type TunePlan, tune } from '../../../operator/tune/tune.ts';
import { tuneReport } from '../../../operator/tune/tune-report.ts';
import { engineOn, modelWith } from './support/machine.ts';
import { simulatedLoad } from './support/simulated-load.ts';

const objective: Objective = { measure: 'latency', percentile: 'p95', ms: 1500 };
const plan: TunePlan = {
  sweep: {
    model: { namespace: 'team', name: 'chat', uid: 'uid', generation: 3 },
    objectives: [objective],
    maxErrorRate: 0.01,
    workload: 'random 100+50 tokens',
    arrivals: 'constant',
    seconds: 10,
    warmUpSeconds: 0,
    runs: 3,
    grid: { least: 1, most: 100, step: 0.1 },
    measurements: 20,
  },
  ranges: [{ path: 'engine.batching.maxNumSeqs', values: [8, 16, 32] }],
  windows: [],
  startRate: 4,
  resume: false,
};

const ENGINE = engineOn({ VLLM_SIM_LOAD_FACTOR: '1', VLLM_SIM_PER_SEQUENCE_MS: '1' }, {});

/** A sweep on an engine; `onLoad` gets the number of each load. */
function scene(onLoad: (count: number) => void = () => undefined) {
  const directory = mkdtempSync(join(tmpdir(), 'tune-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const calls: string[] = [];
  let seqs = 0;
  let loads = 0;
  const load = (rate: number): StepResult => {
    const lengths = { seconds: 10, warmUpSeconds: 0, promptTokens: 100, outputTokens: 50 };
    return simulatedLoad({ ...ENGINE, maxNumSeqs: seqs }, { ...lengths, rate, objectives: [objective] });
  };
  const noted = (call: string) => async () => {
    calls.push(call);
    return undefined;
  };
  const dependencies = (signal = new AbortController().signal): TuneDependencies => ({
    candidate: {
      name: 'tune-chat',
      clear: noted('clear'),
      remove: noted('remove'),
      delete: noted('delete'),
      during: (_, until, work) => work(until),
      start: async (settings) => {
        seqs = Number(settings['engine.batching.maxNumSeqs']);
        calls.push(`start ${seqs} ${settings['admission.batchWindow'] ?? ''}`.trim());
        if (seqs === 32)
          throw new ProfileFailedError({
            kind: 'out-of-memory',
            reason: 'EngineCrashed',
            message: 'no | `memory`',
          });
        return 12;
      },
    },
    load: async (_, rate) => {
      onLoad(++loads);
      signal.throwIfAborted();
      return load(rate);
    },
    store: new ExperimentStore(directory),
    clock: systemClock,
    say: () => undefined,
    signal,
  });
  const experiments = (): Experiment[] =>
    readdirSync(directory)
      .filter((name) => name.endsWith('.json'))
      .map((name) => experimentSchema.parse(JSON.parse(readFileSync(join(directory, name), 'utf8'))));
  return { directory, calls, dependencies, experiments, loads: () => loads };
}

test('each profile is a file of the documented schema, and nothing is left of the candidate', async () => {
  const { calls, dependencies, experiments } = scene();

  const { run, best } = await tune(plan, dependencies());

  expect(run).toMatch(/^\d{4}-\d{2}-\d{2}_run01$/);
  expect(calls).toEqual(['clear', 'start 8', 'remove', 'start 16', 'remove', 'start 32', 'remove', 'delete']);
  expect(experiments().map(({ profile, state }) => [profile.name, state])).toEqual([
    ['seqs16', 'done'],
    ['seqs32', 'failed'],
    ['seqs8', 'done'],
  ]);
  expect(best?.profile.name).toBe('seqs16');
  expect(best?.knee?.settled).toBe(true);
});

test('an interrupted run goes on with what was measured, to the same result', async () => {
  const whole = scene();
  const expected = await tune(plan, whole.dependencies());
  const stop = new AbortController();
  const { calls, dependencies, experiments, loads } = scene((count) => {
    if (count === Math.ceil(whole.loads() / 2)) stop.abort(new Error('Ctrl-C'));
  });

  await expect(tune(plan, dependencies(stop.signal))).rejects.toThrow('Ctrl-C');
  expect(calls.at(-1)).toBe('delete');
  const before = experiments().map(({ state }) => state);
  const made = loads() - 1;
  const resumed = await tune({ ...plan, resume: true }, dependencies());

  expect(before).toContain('running');
  expect(resumed.run).toBe(experiments()[0]?.run);
  expect(loads() - 1 - made).toBe(whole.loads() - made);
  expect(resumed.experiments.map(({ knee }) => knee)).toEqual(expected.experiments.map(({ knee }) => knee));
});

test('a candidate that cannot be deleted is named, with how to delete it', async () => {
  const { dependencies } = scene();
  const failing = { ...dependencies().candidate, delete: () => Promise.reject(new Error('no connection')) };

  await expect(tune(plan, { ...dependencies(), candidate: failing })).rejects.toThrow(
    /tune-chat may be left.*no connection.*kubectl delete vmodel tune-chat/,
  );
});

test('a run with other options, and files of others, are not continued', async () => {
  const { directory, dependencies, calls } = scene();
  await tune(plan, dependencies());
  writeFileSync(join(directory, '2026-01-01_run01_seqs8.json'), '{"kind":');
  writeFileSync(join(directory, '2026-01-01_run02_seqs8.json'), '{"kind":"Other"}');
  calls.length = 0;

  const sweep = { ...plan.sweep, model: { ...plan.sweep.model, generation: 4 } };
  const { run } = await tune({ ...plan, sweep, resume: true }, dependencies());

  expect(run).toMatch(/_run02$/);
  expect(calls).toContain('start 8');
});

test('batching windows are tried with the best settings only', async () => {
  const { dependencies, calls } = scene();
  const windows = ['20ms', '50ms'].map((window) => ({
    'admission.batchWindow': window,
    'admission.batchWindowMaxP95': '1500ms',
  }));

  const { best, experiments } = await tune({ ...plan, windows }, dependencies());

  expect(calls.filter((call) => call.startsWith('start'))).toEqual([
    'start 8',
    'start 16',
    'start 32',
    'start 16 20ms',
    'start 16 50ms',
  ]);
  expect(experiments.at(-1)?.profile.name).toBe('seqs16-window50ms');
  // No window is best if none makes a difference.
  expect(best?.profile.name).toBe('seqs16');
});

const knee: Knee = {
  rate: 10,
  missed: 10.5,
  settled: true,
  runs: 6,
  requestsPerSecond: 10,
  outputTokensPerSecond: 500,
  errorRate: 0,
  mostOpen: 20,
  latencyMs: { mean: 1000, p50: 900, p95: 1400, p99: 1500 },
  firstTokenMs: { mean: 120, p50: 100, p95: 300, p99: 400 },
  timePerTokenMs: { mean: 18, p50: 18, p95: 20, p99: 21 },
};

test('the queue is as long as the slack allows, by Little’s law', () => {
  const one = { replicas: 1, routers: 1 };
  expect(queueLimit(knee, [objective], one)).toMatchObject({ maxQueue: 6, inFlight: 10 });
  expect(queueLimit(knee, [objective], { replicas: 4, routers: 2 })).toMatchObject({ maxQueue: 12 });
  const firstToken: Objective = { measure: 'first-token', percentile: 'p95', ms: 300 };
  expect(queueLimit(knee, [objective, firstToken], one)).toMatchObject({ maxQueue: 2 });
  expect(queueLimit(knee, [{ ...objective, ms: 800 }], one)).toMatchObject({ maxQueue: 1 });
  expect(queueLimit(knee, [{ measure: 'time-per-token', percentile: 'p95', ms: 30 }], one)).toBeUndefined();
});

test('the patch has the settings and the queue', () => {
  const settings = { 'engine.batching.maxNumSeqs': 16, 'admission.batchWindow': '20ms' };
  const queue = queueLimit(knee, [objective], { replicas: 1, routers: 1 });

  expect(
    settingsPatch({ model: modelWith('x', 'y'), run: '2026-11-28_run01', settings, queue }),
  ).toMatchInlineSnapshot(`
    "# Settings for InferenceModel team/tune-chat, from run 2026-11-28_run01. A change of spec.engine causes a rollout.
    # maxQueue = 10.00 requests/s × 0.60 s of slack × 1 replicas ÷ 1 routers = 6; in progress at the knee = 10.00 requests/s × 1.00 s = 10 for each replica
    spec:
      engine:
        batching:
          maxNumSeqs: 16
      admission:
        batchWindow: 20ms
        maxQueue: 6
    "
  `);
});

test('the profile is added to those of the pool, and one that no pool takes is refused', () => {
  const others = [
    { name: 'chat-on-l4', settings: { maxModelLen: 512 } },
    { name: 'other', settings: { maxModelLen: 1024 } },
  ];
  const pool = {
    apiVersion: 'vllm-operator.dev/v1alpha1',
    kind: 'InferencePool',
    metadata: { name: 'pool', namespace: 'team' },
    spec: { accelerator: { type: 'L4' }, engine: { profiles: others } },
  } as InferencePool;
  const settings = { 'engine.batching.maxNumSeqs': 16, 'admission.batchWindow': '20ms' };

  checkProfile(pool, 'chat-on-l4', settings);
  expect(parse(profilePatch(pool, 'chat-on-l4', settings))).toEqual({
    spec: {
      engine: { profiles: [others[1], { name: 'chat-on-l4', settings: { batching: { maxNumSeqs: 16 } } }] },
    },
  });
  expect(() => checkProfile(pool, 'Latency', settings)).toThrow(/--profile Latency: .*name/);
  expect(() => checkProfile(pool, 'mine', { 'engine.image': 'a:1' })).toThrow(/--profile mine: .*image/);
});

test('the report has every profile, what failed and why, and the best', async () => {
  const { dependencies } = scene();
  const result = await tune(plan, dependencies());
  const settings = [{ text: 'spec: {}\n', command: 'kubectl patch' }];

  const report = tuneReport({ ...result, run: 'RUN', sweep: plan.sweep, queue: undefined, settings });

  expect(report).toMatchInlineSnapshot(`
    "# Tuning of team/chat

    Run RUN. Objectives: latency-p95=1500ms, at most 1 % failed. Load: random 100+50 tokens, constant arrivals, 10 s after 0 s of warm-up, median of 3 runs. Rates: from 1 to 100 requests/s, each 10 % above the one before. One replica, through the router, without response cache.

    | profile | most req/s | missed at | output tokens/s | p50 ms | p95 ms | first token p95 ms | per token p95 ms | errors | start s |
    | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
    | seqs8 | 5.56 | 6.116 | 280 | 1247 | 1260 | 83.3 | 24.0 | 0.00 % | 12 |
    | **seqs16** | 6.116 | 6.727 | 310 | 1436 | 1452 | 88.3 | 27.9 | 0.00 % | 12 |
    | seqs32 | out-of-memory |  |  |  |  |  |  |  |  |

    ## What failed

    - seqs32: the engine needs more memory than there is: EngineCrashed: \`no | 'memory'\`

    ## Best: seqs16

    \`\`\`yaml
    spec: {}
    \`\`\`

    \`\`\`sh
    kubectl patch
    \`\`\`
    "
  `);
});
