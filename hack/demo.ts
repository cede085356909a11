/**
 * `npm run demo`: a small cluster, the operator, two models of two teams, and what happens when things break.
 * `npm run demo -- --engine vllm`: the same with one model of a real vLLM on this machine's processor, which is installed first.
 * `npm run demo -- --stay` leaves everything running at the end; `--time-scale 0.2` shortens probe periods and grace sleeps of the cluster.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { diagnosis } from './demo/diagnosis.ts';
import { Narrator } from './demo/narrator.ts';
import { startOperator } from './demo/operator-process.ts';
import { removeAll } from './demo/removal.ts';
import { installDefinitions } from './demo/serving.ts';
import { Shell } from './demo/shell.ts';
import { simulatedStory } from './demo/simulated-story.ts';
import type { Story } from './demo/story.ts';
import { vllmStory } from './demo/vllm-story.ts';
import { startCluster } from './devcluster/cluster.ts';

const STORIES: Readonly<Record<string, Story>> = { simulator: simulatedStory, vllm: vllmStory };

interface Options {
  story: Story;
  stay: boolean;
  timeScale: number;
}

async function main({ story, stay, timeScale }: Options, signal: AbortSignal): Promise<void> {
  const demo = new Narrator((line) => console.log(line), Date.now);
  console.log('vllm-operator: from custom resource to streamed answer, on a cluster in one process.');
  console.log(story.engines);
  const options = await story.cluster(signal);
  const logs = mkdtempSync(join(tmpdir(), 'vllm-operator-demo-'));
  const log = join(logs, 'operator.log');
  const cluster = await demo.step(
    'Start devcluster: API server, controllers and a node agent in this process',
    () => startCluster({ signal, timeScale, ...options }),
  );
  await using closing = { [Symbol.asyncDispose]: () => cluster.close() };
  void closing;
  const chapter = { demo, signal, shell: new Shell(cluster.kubeconfigPath, signal) };
  await installDefinitions(chapter);
  await using operator = await demo.step('Start the operator', () =>
    startOperator(cluster.kubeconfigPath, log, signal),
  );
  let url: string;
  try {
    url = await story.tell(chapter, logs);
  } catch (error) {
    if (!signal.aborted) console.error(`\n${await diagnosis(chapter.shell)}\nLog of the operator: ${log}\n`);
    throw error;
  }
  if (stay) {
    console.log(
      `\nEverything keeps running until Ctrl-C.\n    export KUBECONFIG=${cluster.kubeconfigPath}\n    OpenAI API:   ${url}\n    operator log: ${log}`,
    );
    await once(signal, 'abort');
    return;
  }
  await removeAll(chapter, story.manifests(logs));
  await operator.stop();
  rmSync(logs, { recursive: true });
  console.log('\nThat was all of it. `npm run demo -- --stay` leaves it running for you to try.');
}

function optionsOf(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      engine: { type: 'string', default: 'simulator' },
      stay: { type: 'boolean', default: false },
      'time-scale': { type: 'string', default: '1' },
    },
  });
  const story = STORIES[values.engine];
  if (story === undefined)
    throw new Error(`--engine: "${values.engine}" is unknown; use ${Object.keys(STORIES).join(' or ')}`);
  return { story, stay: values.stay, timeScale: Number(values['time-scale']) };
}

const controller = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => controller.abort());
try {
  await main(optionsOf(process.argv.slice(2)), controller.signal);
} catch (error) {
  if (!controller.signal.aborted) {
    console.error(error);
    process.exitCode = 1;
  }
} finally {
  // Steps that ran in parallel with the failed one may still be waiting.
  controller.abort();
}
