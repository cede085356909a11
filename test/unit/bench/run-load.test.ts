/** Loads against the simulated engine in this process, over HTTP. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSimServer, type SimServer } from '../../../hack/vllm-sim/sim-server.ts';
import { LOAD_DEFAULTS, type LoadPlan } from '../../../operator/bench/load-plan.ts';
import { loadResultSchema } from '../../../operator/bench/load-result.ts';
import { runLoad } from '../../../operator/bench/run-load.ts';
import { seededRandom } from './support/seeded-random.ts';

const MODEL = 'org/sim';

async function engine(args: string[] = []): Promise<SimServer> {
  const server = await createSimServer({
    args: [MODEL, '--host', '127.0.0.1', '--port', '0', ...args],
    env: { VLLM_SIM_TIME_SCALE: '0.001', VLLM_SIM_STARTUP_SECONDS: '0' },
  });
  onTestFinished(() => server.close());
  return server;
}

const plan = (url: string, change: Partial<LoadPlan> = {}): LoadPlan => ({
  ...LOAD_DEFAULTS,
  url,
  model: MODEL,
  rates: [40],
  seconds: 0.5,
  warmUpSeconds: 0.1,
  rampSeconds: 0,
  workload: { kind: 'random', promptTokens: 20, outputTokens: 10 },
  ...change,
});
const run = { signal: new AbortController().signal, random: seededRandom(1) };

describe('a load against an engine', () => {
  it.each(['chat', 'completions'] as const)('measures %s, and nothing of the warm-up', async (api) => {
    const { url, sim } = await engine();
    const result = await runLoad(plan(url, { api }), run);
    expect(loadResultSchema.parse(result)).toEqual(result);
    const [step] = result.steps;
    expect(step).toMatchObject({ rate: 40, seconds: 0.5, due: 20, sent: 20, completed: 20, errors: {} });
    expect(step).toMatchObject({ outputTokens: 10, errorRate: 0, unfinished: 0 });
    expect(step?.latencyMs.count).toBe(20);
    expect(step?.firstTokenMs.count).toBe(20);
    expect(step?.timePerTokenMs.count).toBe(20);
    expect(step?.interTokenMs.count).toBe(180);
    expect(sim.received).toBe(24);
  });
});
