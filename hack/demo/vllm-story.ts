import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';
import { cacheDirectory, installVllm, VLLM_VERSIONS } from '../vllm/environment.ts';
import { writeTinyModels } from '../vllm/tiny-models.ts';
import type { Chapter } from './chapter.ts';
import { ask, stream } from './questions.ts';
import type { Shell } from './shell.ts';
import type { Story } from './story.ts';
import { keepStreaming } from './streaming.ts';
import { vllmManifest } from './vllm-manifest.ts';
import { sleepAndWakeVllm } from './vllm-sleep.ts';

/** A real engine loads torch and its own code first: about a minute on an idle core, several on a busy one. */
const START_SECONDS = 1200;
const MANIFEST = 'cpu.yaml';

/** One model on this machine's processor: it answers, changes under load, sleeps and wakes. */
export const vllmStory: Story = {
  engines:
    'nginx, Redis and vLLM are the real ones: vLLM runs on this processor, with a tiny model whose answers are random words.',
  async cluster(signal) {
    // Before an installation of some minutes.
    modelsDirectory();
    // Its cache of compiled kernels and its models are files; nothing is to be looked up at a hub.
    return {
      vllm: await installVllm(VLLM_VERSIONS[0], signal),
      engineEnv: { HF_HUB_OFFLINE: '1', TRANSFORMERS_OFFLINE: '1' },
    };
  },
  async tell(chapter, directory) {
    const client = await serve(chapter, directory);
    await changeUnderStreams(chapter, client);
    await sleepAndWakeVllm(chapter, client);
    return client.baseURL;
  },
  manifests: (directory) => [join(directory, MANIFEST)],
};

async function serve({ demo, shell, signal }: Chapter, directory: string): Promise<OpenAI> {
  const file = join(directory, MANIFEST);
  await demo.step('Ask for a pool without accelerators and a model with an adapter', () => {
    writeFileSync(file, vllmManifest(writeTinyModels(modelsDirectory())));
    return shell.show('apply', '-f', file);
  });
  await demo.step('Wait until they are Ready: vLLM starts, which takes a minute or more', async () => {
    await shell.wait({
      for: 'condition=Ready',
      of: ['inferencepools.vllm-operator.dev,inferencemodels.vllm-operator.dev', '--all'],
      seconds: START_SECONDS,
    });
    return await shell.show('get', 'vpool,vmodel', '-A');
  });
  const baseURL = await shell.routerUrl('team-a');
  const client = new OpenAI({ baseURL, apiKey: 'none', maxRetries: 0, timeout: START_SECONDS * 1000 });
  await demo.step('Ask for a chat completion', () => ask(client, 'tiny', signal));
  await demo.step('Ask for a stream', () => stream(client, 'tiny', signal));
  await demo.step('Ask the LoRA adapter', () => ask(client, 'tiny-adapter', signal));
  return client;
}

/**
 * Where the models are. Paths below these are mounted in every engine, and would be those of the pod there. Throws for
 * such a cache directory.
 */
function modelsDirectory(): string {
  const directory = join(cacheDirectory(), 'tiny-models');
  const mounted = ['/tmp/', '/dev/shm/', '/home/vllm/'].find((path) => directory.startsWith(path));
  if (mounted !== undefined)
    throw new Error(
      `${directory}: engines have a ${mounted} of their own, so that models there are out of their sight; set VLLM_ENVIRONMENTS to a directory elsewhere`,
    );
  return directory;
}

async function changeUnderStreams({ demo, shell }: Chapter, client: OpenAI): Promise<void> {
  await demo.step(
    'Change an engine setting while streams run: the engine ends what it has begun, the next one answers what waits',
    async () => {
      const stop = new AbortController();
      const [report, text] = await Promise.all([
        keepStreaming(client, 'tiny', stop.signal),
        rollOut(shell).finally(() => stop.abort()),
      ]);
      const { ended, tokens, longestSeconds } = report;
      return `${text}${ended} streams with ${tokens} tokens went to their end, 0 were cut; the longest took ${longestSeconds.toFixed(1)} s`;
    },
  );
}

/** Returns once the new engine serves and the old one is gone. The pool has room for one at a time. */
async function rollOut(shell: Shell): Promise<string> {
  const model = { of: ['vmodel/tiny'], namespace: 'team-a' };
  const old = await shell.names('pods', 'team-a', 'vllm-operator.dev/model=tiny');
  const text = await shell.patch('team-a', 'tiny', { spec: { engine: { batching: { maxNumSeqs: 12 } } } });
  await shell.wait({ ...model, for: 'condition=Reconciling', seconds: 60 });
  await shell.wait({ ...model, for: 'condition=Reconciling=false', seconds: START_SECONDS });
  await shell.wait({ for: 'delete', of: old, namespace: 'team-a', seconds: 400 });
  return text;
}
