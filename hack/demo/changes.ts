/** What breaks and what changes while clients ask: a killed engine, a rollout, a burst. */
import OpenAI from 'openai';
import type { Chapter } from './chapter.ts';
import { ask } from './questions.ts';
import { keepAsking, type TrafficReport } from './traffic.ts';

/** Asks with several clients at once while `action` runs. Returns the number of answers; throws if a request failed. */
async function during(
  {
    client,
    model,
    clients,
    maxTokens,
  }: { client: OpenAI; model: string; clients: number; maxTokens: number },
  action: () => Promise<void>,
): Promise<number> {
  const stop = new AbortController();
  const asking = Array.from({ length: clients }, () => keepAsking(client, model, stop.signal, maxTokens));
  let reports: TrafficReport[];
  try {
    await action();
  } finally {
    stop.abort();
    reports = await Promise.all(asking);
  }
  const failures = reports.flatMap((report) => report.failures);
  const answered = reports.reduce((sum, report) => sum + report.answered, 0);
  if (failures.length > 0)
    throw new Error(`${failures.length} of ${answered + failures.length} requests failed: ${failures[0]}`);
  return answered;
}

/** Kills, changes and scales the two models behind the router at `url`. */
export async function changeUnderLoad({ demo, shell, signal }: Chapter, url: string): Promise<void> {
  const client = new OpenAI({ baseURL: url, apiKey: 'none' });
  const [small, large] = ['qwen-0-5b', 'qwen-7b'];
  await demo.step(
    `Kill the engine of ${small} and ask again: the request waits for the new one`,
    async () => {
      const engine = ['pod', '-n', 'team-a', '-l', `vllm-operator.dev/model=${small}`];
      const text = await shell.show('delete', ...engine, '--grace-period=0', '--force', '--wait=false');
      return `${text}${await ask(client, small, signal)}`;
    },
  );
  await demo.step('Change an engine setting under load: the rollout loses no request', async () => {
    const model = { of: [`vmodel/${small}`], namespace: 'team-a' };
    await shell.wait({ ...model, for: 'condition=Ready', seconds: 60 });
    let text = '';
    const answered = await during({ client, model: small, clients: 1, maxTokens: 8 }, async () => {
      text = await shell.patch('team-a', small, { spec: { engine: { batching: { maxNumSeqs: 48 } } } });
      await shell.wait({ ...model, for: 'condition=Reconciling', seconds: 30 });
      await shell.wait({ ...model, for: 'condition=Reconciling=false', seconds: 120 });
    });
    return `${text}${answered} requests during the rollout, 0 failed`;
  });
  await demo.step(`Send a burst: ${large} grows from one replica to three`, async () => {
    // By default an engine runs for another five minutes, which is long for a demonstration.
    const behavior = { scaleDown: { stabilizationWindowSeconds: 10 } };
    const scaling = { replicas: null, minReplicas: 1, maxReplicas: 3, target: 2, behavior };
    await shell.patch('team-b', large, { spec: { scaling } });
    const model = { of: [`vmodel/${large}`], namespace: 'team-b' };
    const answered = await during({ client, model: large, clients: 8, maxTokens: 200 }, () =>
      shell.wait({ ...model, for: 'jsonpath={.status.readyReplicas}=3', seconds: 120 }),
    );
    return `${await shell.show('get', 'vmodel', large, '-n', 'team-b')}${answered} requests, 0 failed`;
  });
}
