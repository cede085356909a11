/** Scale to zero with a real engine: what is answered meanwhile, and where the time goes when it wakes. */
import { setTimeout as sleep } from 'node:timers/promises';
import type OpenAI from 'openai';
import type { Chapter } from './chapter.ts';
import { ask } from './questions.ts';
import type { Shell } from './shell.ts';

/** Of `status.coldStart`, in the order in which they come. */
const PHASES = [
  ['detect', 'until the operator noticed the waiting request'],
  ['schedule', 'until the pod had a node'],
  ['pull', 'until its container ran: image and volumes'],
  ['load', 'until the engine was ready'],
  ['ready', 'until the routers knew it'],
  ['firstByte', 'until the answer began'],
] as const;

/** What the engine itself says of the phase `load`; Python modules take most of the rest. */
async function loadByLog(shell: Shell): Promise<string[]> {
  const [pod = ''] = await shell.names('pods', 'team-a', 'vllm-operator.dev/model=tiny');
  const log = await shell.run('logs', '-n', 'team-a', pod);
  return [...log.matchAll(/(?:Loading weights|init engine).* took .*/g)].map(([line]) => `vLLM: ${line}`);
}

/** Asks what `temperature: 0` makes repeatable. Returns what the router's cache did, and the answer. */
async function repeatable(
  client: OpenAI,
  signal: AbortSignal,
): Promise<{ cache: string | null; text: string }> {
  const request = {
    model: 'tiny',
    messages: [{ role: 'user' as const, content: 'What is a pool?' }],
    max_tokens: 16,
    min_tokens: 8, // a field of vLLM
    temperature: 0,
  };
  const { data, response } = await client.chat.completions.create(request, { signal }).withResponse();
  return { cache: response.headers.get('x-cache'), text: data.choices[0]?.message.content ?? '' };
}

/** Ends with the model awake. Throws when the answer at zero replicas does not come from the cache. */
export async function sleepAndWakeVllm({ demo, shell, signal }: Chapter, client: OpenAI): Promise<void> {
  const model = { of: ['vmodel/tiny'], namespace: 'team-a' };
  const first = await demo.step(
    'Let it sleep when idle, and ask something until the answer is stored',
    async () => {
      // Stored answers are those of one state of the model, and routers learn of the change a moment later.
      demo.say(
        await shell.patch('team-a', 'tiny', { spec: { scaling: { minReplicas: 0, idleTimeout: '15s' } } }),
      );
      for (;;) {
        const answer = await repeatable(client, signal);
        demo.say(`X-Cache: ${answer.cache}, "${answer.text}"`);
        if (answer.cache === 'HIT') return answer;
        await sleep(1000, undefined, { signal });
      }
    },
  );
  await demo.step('Leave it alone for 15 seconds: it goes to zero, and the engine ends', async () => {
    await shell.wait({ ...model, for: 'jsonpath={.status.state}=Idle', seconds: 120 });
    const pods = await shell.names('pods', 'team-a', 'vllm-operator.dev/model=tiny');
    if (pods.length > 0) await shell.wait({ for: 'delete', of: pods, namespace: 'team-a', seconds: 400 });
    return await shell.show('get', 'vmodel', '-n', 'team-a');
  });
  await demo.step('Ask the same again: the cache answers, and no engine starts', async () => {
    const { cache, text } = await repeatable(client, signal);
    if (cache !== 'HIT' || text !== first.text)
      throw new Error(`X-Cache: ${cache}, "${text}" instead of a hit with "${first.text}"`);
    await shell.wait({ ...model, for: 'jsonpath={.status.state}=Idle', seconds: 5 });
    return `X-Cache: ${cache}, "${text}"\n${await shell.show('get', 'vmodel', '-n', 'team-a')}`;
  });
  await demo.step('Ask something else: the request is held until the new engine answers it', () =>
    ask(client, 'tiny', signal),
  );
  await demo.step('See where the time went', async () => {
    await shell.wait({ ...model, for: 'jsonpath={.status.coldStart.firstByte}', seconds: 30 });
    const split = await shell.run('get', ...model.of, '-n', 'team-a', '-o', 'jsonpath={.status.coldStart}');
    const took = JSON.parse(split) as Record<string, string>;
    const lines = PHASES.map(([phase, what]) => `${phase.padEnd(10)}${took[phase]?.padEnd(12)}${what}`);
    return [...lines, ...(await loadByLog(shell))].join('\n');
  });
}
