/** From custom resources to answers: a pool and two models of two teams. */
import OpenAI from 'openai';
import type { Chapter } from './chapter.ts';
import { ask, stream } from './questions.ts';

/** Applies the definitions and waits until the API server serves them. */
export async function installDefinitions({ demo, shell }: Chapter): Promise<void> {
  await demo.step('Install the custom resource definitions', async () => {
    const text = await shell.show('apply', '--server-side', '-f', 'crds/');
    await shell.wait({
      for: 'condition=Established',
      of: ['crd/inferencepools.vllm-operator.dev', 'crd/inferencemodels.vllm-operator.dev'],
      seconds: 30,
    });
    return text;
  });
}

/** Returns the base URL of the pool's router. */
export async function serveTwoModels({ demo, shell, signal }: Chapter): Promise<string> {
  await demo.step('Ask for a pool and two models of two teams', () =>
    shell.show('apply', '-f', 'examples/quickstart.yaml'),
  );
  await demo.step('Wait until they are Ready', async () => {
    await shell.wait({
      for: 'condition=Ready',
      of: ['inferencepools.vllm-operator.dev,inferencemodels.vllm-operator.dev', '--all'],
      seconds: 120,
    });
    return await shell.show('get', 'vpool,vmodel', '-A');
  });
  const url = await shell.routerUrl('platform');
  const client = new OpenAI({ baseURL: url, apiKey: 'none' });
  await demo.step('List the models through the router', async () => {
    const names: string[] = [];
    for await (const model of client.models.list()) names.push(model.id);
    return `GET ${url}/models\n${names.sort().join('\n')}`;
  });
  await demo.step('Ask for a chat completion', () => ask(client, 'qwen-0-5b', signal));
  await demo.step('Ask for a stream', () => stream(client, 'qwen-7b', signal));
  return url;
}
