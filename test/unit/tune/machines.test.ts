/** The search and the sweep on simulated machines, in simulated time. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { hashPrompt } from '../../../hack/vllm-sim/engine/chain-hash.ts';
import { Engine } from '../../../hack/vllm-sim/engine/engine.ts';
import { GeneratedSource } from '../../../hack/vllm-sim/engine/generated-source.ts';
import type { SequenceOutput } from '../../../hack/vllm-sim/engine/sequence.ts';
import { EngineMetrics } from '../../../hack/vllm-sim/metrics/engine-metrics.ts';
import type { Objective } from '../../../operator/bench/objective.ts';
import { systemClock } from '../../../operator/kube/clock.ts';
import type { Sweep } from '../../../operator/tune/experiment.ts';
import { ExperimentStore } from '../../../operator/tune/experiment-store.ts';
import { rateAt } from '../../../operator/tune/find-most-rate.ts';
import { profilesOf, type Settings } from '../../../operator/tune/profiles.ts';
import { DEFAULT_RANGES } from '../../../operator/tune/setting-range.ts';
import { type TuneDependencies, type TunePlan, tune } from '../../../operator/tune/tune.ts';
import { FakeClock } from '../vllm-sim/fake-clock.ts';
import { engineOn, type Machine, machine, startedOn } from './support/machine.ts';
import { simulatedLoad } from './support/simulated-load.ts';

const GRID = { least: 2, most: 20, step: 0.05 };
const LOAD = { seconds: 40, warmUpSeconds: 10, promptTokens: 400, outputTokens: 100 };
const PROFILES = profilesOf(DEFAULT_RANGES);

/** Five times the time of a request alone. */
function objectiveOf(on: Machine): Objective {
  const ms = 5 * LOAD.outputTokens * Number(on.VLLM_SIM_INTER_TOKEN_MS);
  return { measure: 'latency', percentile: 'p95', ms };
}

function planFor(objective: Objective): TunePlan {
  const sweep: Sweep = {
    model: { namespace: 'team', name: 'chat', uid: 'uid', generation: 1 },
    objectives: [objective],
    maxErrorRate: 0.01,
    workload: 'random 400+100 tokens',
    arrivals: 'constant',
    seconds: LOAD.seconds,
    warmUpSeconds: LOAD.warmUpSeconds,
    runs: 3,
    grid: GRID,
    measurements: 24,
  };
  return { sweep, ranges: DEFAULT_RANGES, windows: [], startRate: 2, resume: false };
}

/** A candidate on a machine, with a load that takes no time. */
function on(machine: Machine, objective: Objective): TuneDependencies {
  const directory = mkdtempSync(join(tmpdir(), 'tune-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  let settings: Settings = {};
  const nothing = async () => undefined;
  return {
    candidate: {
      name: 'tune-chat',
      ...{ clear: nothing, delete: nothing, remove: nothing },
      during: (_, signal, work) => work(signal),
      start: async (asked) => {
        settings = asked;
        startedOn(machine, settings);
        return 1;
      },
    },
    load: async (_, rate) =>
      simulatedLoad(engineOn(machine, settings), { ...LOAD, rate, objectives: [objective] }),
    store: new ExperimentStore(directory),
    clock: systemClock,
    say: () => {},
    signal: new AbortController().signal,
  };
}

/** The highest rate of the grid that meets the objective, by trying them all; its index, or undefined without memory. */
function knownOptimum(machine: Machine, settings: Settings, objective: Objective): number | undefined {
  if (!fits(machine, settings)) return undefined;
  const engine = engineOn(machine, settings);
  const indexes = Array.from({ length: indexOf(GRID.most) + 1 }, (_, index) => index);
  return indexes.findLast((index) => {
    const load = { ...LOAD, rate: rateAt(GRID, index), objectives: [objective] };
    return simulatedLoad(engine, load).meetsObjectives;
  });
}

/** By the numbers of the machine: weights, 2.5 GiB of overhead, the step, the sampler, and one request of full length. */
function fits(machine: Machine, settings: Settings): boolean {
  const of = (name: string, path: string) => (Number(machine[name]) * Number(settings[path])) / 1024;
  const step = of('VLLM_SIM_MIB_PER_BATCHED_TOKEN', 'engine.batching.maxNumBatchedTokens');
  const sampler = of('VLLM_SIM_MIB_PER_SEQUENCE', 'engine.batching.maxNumSeqs');
  const memory = Number(machine.VLLM_SIM_MEMORY_GIB) * 0.92;
  return memory - 15.26 - 2.5 - step - sampler > ((4096 + 16) * 147_456) / 2 ** 30;
}

function indexOf(rate: number): number {
  return Math.round(Math.log(rate / GRID.least) / Math.log(1 + GRID.step));
}

test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])('machine %i: the sweep finds the known optimum', async (seed) => {
  const simulated = machine(seed);
  const objective = objectiveOf(simulated);

  const { best, experiments } = await tune(planFor(objective), on(simulated, objective));

  const known = PROFILES.map(({ settings }) => knownOptimum(simulated, settings, objective));
  const found = experiments.map(({ knee }) => (knee ? indexOf(knee.rate) : undefined));
  for (const [at, index] of known.entries()) {
    if (index === undefined) expect(experiments[at]?.failure?.kind).toBe('out-of-memory');
    else expect(Math.abs((found[at] ?? -9) - index)).toBeLessThanOrEqual(1);
  }
  const optimum = Math.max(...known.map((index) => index ?? -1));
  const picked = PROFILES.findIndex(({ name }) => name === best?.profile.name);
  expect(known[picked]).toBeGreaterThanOrEqual(optimum - 1);
});

test('the load has the latency of an engine of the simulator', () => {
  const simulated = { ...machine(4), VLLM_SIM_MEMORY_GIB: '80' };
  const settings = engineOn(simulated, { 'engine.batching.maxNumSeqs': 48 });
  const clock = new FakeClock();
  const engine = new Engine(
    { ...settings, prefixCaching: false },
    clock,
    new EngineMetrics(settings).engine(0),
  );
  const load = { ...LOAD, warmUpSeconds: 0, seconds: 20, rate: 10 };
  const latencies: number[] = [];
  for (let at = 0; at < load.seconds * 1000; at += 1000 / load.rate) {
    clock.after(at, () => {
      const source = new GeneratedSource({
        seed: at,
        meanTokens: 1,
        minTokens: Number.POSITIVE_INFINITY,
        stop: [],
        includeStop: false,
      });
      const prompt = hashPrompt(
        Array.from({ length: load.promptTokens }, (_, token) => token),
        settings.blockSize,
      );
      const emit = ({ end }: SequenceOutput) => {
        if (end !== undefined) latencies.push(clock.now() - at);
      };
      engine.submit({ prompt, source, maxTokens: load.outputTokens, priority: 0, n: 1, emit });
    });
  }
  clock.advance();

  const { latencyMs } = simulatedLoad(settings, { ...load, objectives: [] });

  expect(latencies).toHaveLength(200);
  expect(latencies.reduce((sum, ms) => sum + ms, 0) / 200 / latencyMs.mean).toBeCloseTo(1, 1);
  expect(Math.max(...latencies) / latencyMs.max).toBeCloseTo(1, 1);
});
