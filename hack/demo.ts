/**
 * `npm run demo`: a small cluster, the operator, two models of two teams, and what happens when things break.
 * `npm run demo -- --stay` leaves everything running at the end; `--time-scale 0.2` shortens probe periods and grace sleeps of the cluster.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { changeUnderLoad } from './demo/changes.ts';
import { Narrator } from './demo/narrator.ts';
import { startOperator } from './demo/operator-process.ts';
import { removeAll } from './demo/removal.ts';
import { installDefinitions, serveTwoModels } from './demo/serving.ts';
import { Shell } from './demo/shell.ts';
import { sleepAndWake } from './demo/sleeping.ts';
import { startCluster } from './devcluster/cluster.ts';

/** A simulated engine loads in three seconds. */
const ENGINE = { VLLM_SIM_STARTUP_SECONDS: '3' };

async function main(signal: AbortSignal, stay: boolean, timeScale: number): Promise<void> {
  const demo = new Narrator((line) => console.log(line), Date.now);
  console.log('vllm-operator: from custom resource to streamed answer, on a cluster in one process.');
  console.log('nginx and Redis are the real ones; in the place of vLLM and its GPUs runs a simulator.');
  const logs = mkdtempSync(join(tmpdir(), 'vllm-operator-demo-'));
  const log = join(logs, 'operator.log');
  const cluster = await demo.step(
    'Start devcluster: API server, controllers and a node agent in this process',
    () => startCluster({ signal, engineEnv: ENGINE, timeScale }),
  );
  await using closing = { [Symbol.asyncDispose]: () => cluster.close() };
  void closing;
  const chapter = { demo, signal, shell: new Shell(cluster.kubeconfigPath, signal) };
  await installDefinitions(chapter);
  await using operator = await demo.step('Start the operator', () =>
    startOperator(cluster.kubeconfigPath, log, signal),
  );
  const url = await serveTwoModels(chapter);
  await changeUnderLoad(chapter, url);
  await sleepAndWake(chapter);
  if (stay) {
    console.log(
      `\nEverything keeps running until Ctrl-C.\n    export KUBECONFIG=${cluster.kubeconfigPath}\n    OpenAI API:   ${url}\n    operator log: ${log}`,
    );
    await once(signal, 'abort');
    return;
  }
  await removeAll(chapter);
  await operator.stop();
  rmSync(logs, { recursive: true });
  console.log('\nThat was all of it. `npm run demo -- --stay` leaves it running for you to try.');
}

const controller = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => controller.abort());
try {
  const { values } = parseArgs({
    options: { stay: { type: 'boolean', default: false }, 'time-scale': { type: 'string', default: '1' } },
  });
  await main(controller.signal, values.stay, Number(values['time-scale']));
} catch (error) {
  if (!controller.signal.aborted) {
    console.error(error);
    process.exitCode = 1;
  }
}
