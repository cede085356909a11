/** Scale to zero: two models share one accelerator, and a burst is over. */
import OpenAI from 'openai';
import type { Chapter } from './chapter.ts';
import { ask } from './questions.ts';

/** Wakes, evicts and puts to sleep; ends when the model of the burst has scaled down again. */
export async function sleepAndWake({ demo, shell, signal }: Chapter): Promise<void> {
  await demo.step('Ask for two more models that sleep, with one accelerator for both', async () => {
    const text = await shell.show('apply', '-f', 'examples/scale-to-zero.yaml');
    await shell.wait({
      for: 'condition=Ready',
      of: ['vpool/small', 'vmodel/writer', 'vmodel/coder'],
      namespace: 'team-c',
      seconds: 60,
    });
    return `${text}${await shell.show('get', 'vmodel', '-n', 'team-c')}`;
  });
  const client = new OpenAI({ baseURL: await shell.routerUrl('team-c'), apiKey: 'none' });
  await demo.step('Ask writer: the request is held while it wakes', () => ask(client, 'writer', signal));
  await demo.step('Ask coder: writer goes to sleep for it', async () => {
    const answer = await ask(client, 'coder', signal);
    const columns = 'custom-columns=WHO:.involvedObject.name,WHAT:.message';
    const evictions = ['events', '-n', 'team-c', '--field-selector', 'reason=Evicted', '-o', columns];
    return `${answer}\n${await shell.show('get', ...evictions)}`;
  });
  await demo.step('Leave coder alone for three seconds: it goes to zero by itself', async () => {
    await shell.patch('team-c', 'coder', { spec: { scaling: { idleTimeout: '3s' } } });
    const coder = { of: ['vmodel/coder'], namespace: 'team-c' };
    await shell.wait({ ...coder, for: 'jsonpath={.status.state}=Idle', seconds: 60 });
    return await shell.show('get', 'vmodel', '-n', 'team-c');
  });
  await demo.step('See qwen-7b shrink to one replica again, a minute after the burst', async () => {
    const large = { of: ['vmodel/qwen-7b'], namespace: 'team-b' };
    await shell.wait({ ...large, for: 'jsonpath={.status.replicas}=1', seconds: 180 });
    return await shell.show('get', 'vmodel', 'qwen-7b', '-n', 'team-b');
  });
}
