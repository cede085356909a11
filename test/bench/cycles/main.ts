/**
 * Whether a request is ever lost while models go to sleep and wake, as lines `metric value unit`: clients come at the
 * moments at which one could fall in between, operators are killed, routers are replaced. Fails if one was lost, or if a
 * model stayed awake.
 *
 *   --seed N      repeats the choices of a run; the moments are still the machine's
 *   --cycles N    times that a model goes to sleep, of all models together (default 200)
 *   --models N    models at once (default 8)
 *   --calm        kills no operators and replaces no routers
 *   --keep DIR    copies what the operators logged there, if a request was lost
 */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Agent } from 'undici';
import { sleep } from '../../../operator/kube/clock.ts';
import { World } from '../../e2e/support/world.ts';
import { Random } from '../../integration/scaling/simulation/random.ts';
import { eventually } from '../../support/eventually.ts';
import { printMilliseconds } from '../scaling/quantile.ts';
import { startSeparateCluster } from '../scaling/separate-cluster.ts';
import { Phases } from './phases.ts';
import { killOperators, stopRouters } from './trouble.ts';
import { type Tally, Visitor } from './visitor.ts';

const IDLE_TIMEOUT_MS = 1_000;
/** Factor on probes, preStop and the like. */
const TIME_SCALE = 0.2;
/** Engines leave the routes for 10 s before they are stopped. */
const TERMINATION_MS = 10_000 * TIME_SCALE;

export async function run(signal: AbortSignal, args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      cycles: { type: 'string', default: '200' },
      models: { type: 'string', default: '8' },
      calm: { type: 'boolean', default: false },
      keep: { type: 'string' },
    },
  });
  const seed = Number(values.seed);
  console.log(`cycles_seed ${seed} 1`);
  const names = Array.from({ length: Number(values.models) }, (_, i) => `m-${i}`);
  const world = await World.start({
    start: startSeparateCluster,
    timeScale: TIME_SCALE,
    gpus: { 'NVIDIA-L4': 3 * names.length },
    // A killed leader's lease would have to run out first, each time.
    operatorArgs: ['--no-leader-election'],
  });
  // Four seconds, as by default, in the time of the cluster.
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 4_000 * TIME_SCALE });
  try {
    const namespace = await world.namespace();
    await world.createPool(namespace, { router: { replicas: 2, loadBalancing: 'LeastRequests' } });
    const scaling = { minReplicas: 0, maxReplicas: 1, idleTimeout: `${IDLE_TIMEOUT_MS}ms` };
    for (const name of names) await world.createModel(namespace, name, { scaling });
    await world.poolReady(namespace);
    const url = await world.url(namespace);
    await eventually('all models are offered', async () => {
      const answer = await fetch(`${url}/models`);
      return ((await answer.json()) as { data: unknown[] }).data.length === names.length;
    });
    const phases = await Phases.open(world, namespace);
    const tally: Tally = { requests: 0, streams: 0, lost: [], stuck: [], arrivals: new Map(), wakesMs: [] };
    const counts = { operatorKills: 0, routerStops: 0 };
    const calm = new AbortController();
    const end = AbortSignal.any([signal, calm.signal]);
    const random = (n: number) => new Random(seed * 1_000 + n);
    const began = performance.now();
    const running = Promise.all([
      ...names.map((model, i) =>
        new Visitor({
          ...{ url, model, phases, agent, tally },
          idleTimeoutMs: IDLE_TIMEOUT_MS,
          terminationMs: TERMINATION_MS,
          random: random(i),
        }).run(end),
      ),
      ...(values.calm
        ? []
        : [
            killOperators(world, random(-1), counts, end),
            stopRouters(world, namespace, random(-2), counts, end),
          ]),
    ]);
    while (phases.sleeps < Number(values.cycles) && !signal.aborted) await sleep(200);
    calm.abort();
    await running;
    const seconds = (performance.now() - began) / 1_000;
    await phases.close();

    console.log(`cycles ${phases.sleeps} 1`);
    console.log(`cycles_seconds ${seconds.toFixed(0)} s`);
    console.log(`cycles_requests ${tally.requests} 1`);
    console.log(`cycles_streams ${tally.streams} 1`);
    for (const [phase, arrivals] of [...tally.arrivals].sort())
      console.log(`cycles_requests_while_${phase} ${arrivals} 1`);
    console.log(`cycles_operator_kills ${counts.operatorKills} 1`);
    console.log(`cycles_router_stops ${counts.routerStops} 1`);
    printMilliseconds('cycles_wake_to_first_byte', tally.wakesMs);
    console.log(`cycles_operator_errors ${(await world.errors()).length} 1`);
    console.log(`cycles_stuck ${tally.stuck.length} 1`);
    console.log(`cycles_lost ${tally.lost.length} 1`);
    if (tally.lost.length + tally.stuck.length === 0) return;
    process.exitCode = 1;
    if (values.keep !== undefined) {
      const keep = join(values.keep, `cycles-${seed}`);
      await cp(join(world.cluster.directory, 'operators'), keep, { recursive: true });
      console.error(`what the operators logged is in ${keep}`);
    }
  } finally {
    await agent.destroy();
    await world.close();
  }
}
