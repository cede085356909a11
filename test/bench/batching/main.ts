/** What a batching window does: latency with windows of 20 and 50 ms against none, at the same rate in one run, as lines `metric value unit`. */

import { Random } from '../../../hack/vllm-sim/engine/random.ts';
import { startSim } from '../../../hack/vllm-sim/start.ts';
import { LOAD_DEFAULTS, type LoadPlan } from '../../../operator/bench/load-plan.ts';
import { runLoad } from '../../../operator/bench/run-load.ts';
import { type Router, startRouter } from '../../integration/router/support/router.ts';
import { engineAt, model, rules, table } from '../../support/route-table.ts';

const WINDOWS_MS = [0, 20, 50];
const RATE = 10;
const ROUNDS = 3;
const TARGET_MS = 3_600_000;

/** Measures routers with each window in turns, before one simulated engine in real time. */
export async function run(signal: AbortSignal): Promise<void> {
  // All windows of a round get the same prompts: with prefix caching, only the first of them would compute these.
  const sim = await startSim({
    args: ['tiny/model', '--served-model-name', 'm', '--no-enable-prefix-caching'],
    env: { VLLM_SIM_TIME_SCALE: '1' },
  });
  const routers: Router[] = [];
  try {
    for (const lengthMs of WINDOWS_MS) {
      const admission = rules(lengthMs > 0 ? { batchWindow: { lengthMs, maxP95Ms: TARGET_MS } } : {});
      const engine = {
        ...model('m', [], { admission }),
        endpoints: [engineAt(`127.0.0.1:${sim.port}`, 256)],
      };
      routers.push(await startRouter({ workers: 1, table: table([engine]) }));
    }
    const seen = WINDOWS_MS.map(() => ({
      firstToken: [] as number[],
      p95: [] as number[],
      perSecond: [] as number[],
    }));
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [index, router] of routers.entries()) {
        const [step] = (await runLoad(plan(router.url), { signal, random: sameFor(round) })).steps;
        if (!step) throw new Error('nothing measured');
        seen[index]?.firstToken.push(step.firstTokenMs.p50 ?? 0);
        seen[index]?.p95.push(step.latencyMs.p95 ?? 0);
        seen[index]?.perSecond.push(step.requestsPerSecond);
      }
    }
    const [none] = seen;
    for (const [index, lengthMs] of WINDOWS_MS.entries()) {
      const own = seen[index];
      if (!own || !none) continue;
      console.log(`window_${lengthMs}_first_token_p50 ${median(own.firstToken).toFixed(1)} ms`);
      console.log(`window_${lengthMs}_latency_p95 ${median(own.p95).toFixed(1)} ms`);
      console.log(`window_${lengthMs}_throughput ${median(own.perSecond).toFixed(2)} 1/s`);
      if (lengthMs > 0) {
        console.log(
          `window_${lengthMs}_latency_ratio ${(median(own.p95) / median(none.p95)).toFixed(3)} of without`,
        );
      }
    }
  } finally {
    await Promise.all([...routers.map(async (router) => await router.close()), sim.stop()]);
  }
}

/** The same arrivals for all windows of a round. */
function sameFor(round: number): () => number {
  const random = new Random(round);
  return () => random.integer(1_000_000) / 1_000_000;
}

function plan(url: string): LoadPlan {
  const workload = { kind: 'random', promptTokens: 200, outputTokens: 50 } as const;
  return {
    ...LOAD_DEFAULTS,
    url,
    model: 'm',
    arrivals: 'poisson',
    rates: [RATE],
    seconds: 10,
    warmUpSeconds: 2,
    rampSeconds: 1,
    workload,
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
