import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { installVllm } from '../../hack/vllm/environment.ts';
import { CHAT } from './names.ts';
import { World } from './world.ts';

const PROMPTS = 20;

/** Puts load on an engine through a router by `vllm bench serve`. Returns 1 when a request failed, else 0. */
export async function benchServe(
  engine: string,
  version: string,
  models: string,
  signal: AbortSignal,
): Promise<number> {
  const command = await installVllm(version, signal);
  const world = await World.start({ chat: engine });
  let output = '';
  try {
    await world.during(async (ends) => {
      const server = ['--backend', 'openai-chat', '--base-url', world.router.url];
      const model = ['--model', CHAT, '--tokenizer', join(models, 'tiny-chat')];
      const load = ['--random-input-len', '64', '--random-output-len', '16', '--max-concurrency', '4'];
      const args = [
        'bench',
        'serve',
        ...server,
        '--endpoint',
        '/v1/chat/completions',
        ...model,
        '--dataset-name',
        'random',
        '--num-prompts',
        String(PROMPTS),
        ...load,
        '--disable-tqdm',
      ];
      const child = spawn(command, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...{ PATH: process.env.PATH, HOME: process.env.HOME, HF_HUB_OFFLINE: '1', OMP_NUM_THREADS: '1' },
          ...world.environment(),
        },
        signal: ends,
      });
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text;
        });
      }
      await once(child, 'close');
    }, signal);
  } finally {
    await world.close();
  }
  const done = Number(/Successful requests:\s+(\d+)/.exec(output)?.[1] ?? 0);
  console.log(
    output
      .split('\n')
      .filter((line) => /^(?:Successful|Failed|Mean|P99|Request throughput)/.test(line))
      .join('\n'),
  );
  console.log(`${done === PROMPTS ? 'ok  ' : 'FAIL'} vllm-bench: ${done} of ${PROMPTS} requests`);
  if (done < PROMPTS) console.log(output.slice(-3000));
  return done === PROMPTS ? 0 : 1;
}
