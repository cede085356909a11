/**
 * `npm run demo`: a small cluster, the operator, two models of two teams, and what happens when things break.
 * `npm run demo -- --stay` leaves everything running at the end; `--time-scale 0.2` shortens probe periods and grace sleeps of the cluster.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import OpenAI from 'openai';
import { Narrator } from './demo/narrator.ts';
import { keepAsking } from './demo/traffic.ts';
import { startCluster } from './devcluster/cluster.ts';
import { kubectl } from './kubectl/kubectl.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** A simulated engine loads in three seconds. */
const ENGINE = { VLLM_SIM_STARTUP_SECONDS: '3' };
const MODELS = ['qwen-0-5b', 'qwen-7b'];

async function main(signal: AbortSignal, stay: boolean, timeScale: number): Promise<void> {
  const demo = new Narrator((line) => console.log(line), Date.now);
  console.log('vllm-operator: from custom resource to streamed answer, on a cluster in one process.');
  console.log('nginx and Redis are the real ones; in the place of vLLM and its GPUs runs a simulator.');
  const logs = mkdtempSync(join(tmpdir(), 'vllm-operator-demo-'));

  const cluster = await demo.step(
    'Start devcluster: API server, controllers and a node agent in this process',
    () => startCluster({ signal, engineEnv: ENGINE, timeScale }),
  );
  await using closing = { [Symbol.asyncDispose]: () => cluster.close() };
  void closing;
  const run = (...args: string[]) => kubectl(args, { kubeconfig: cluster.kubeconfigPath, signal });
  const show = async (...args: string[]) => `$ kubectl ${args.join(' ')}\n${await run(...args)}`;

  await demo.step('Install the custom resource definitions', async () => {
    const text = await show('apply', '--server-side', '-f', 'crds/');
    await run(
      'wait',
      '--for=condition=Established',
      'crd/inferencepools.vllm-operator.dev',
      'crd/inferencemodels.vllm-operator.dev',
      '--timeout=30s',
    );
    return text;
  });
  await using operator = await demo.step('Start the operator', () =>
    startOperator(cluster.kubeconfigPath, join(logs, 'operator.log'), signal),
  );
  await demo.step('Ask for a pool and two models of two teams', () =>
    show('apply', '-f', 'examples/quickstart.yaml'),
  );
  await demo.step('Wait until they are Ready', async () => {
    await run(
      'wait',
      '--for=condition=Ready',
      'inferencepools.vllm-operator.dev,inferencemodels.vllm-operator.dev',
      '--all',
      '-A',
      '--timeout=120s',
    );
    return await show('get', 'vpool,vmodel', '-A');
  });

  const url = await routerUrl(run, 'platform');
  const client = new OpenAI({ baseURL: url, apiKey: 'none' });
  await demo.step('List the models through the router', async () => {
    const names: string[] = [];
    for await (const model of client.models.list()) names.push(model.id);
    return `GET ${url}/models\n${names.sort().join('\n')}`;
  });
  await demo.step('Ask for a chat completion', () => ask(client, MODELS[0] as string, signal));
  await demo.step('Ask for a stream', () => stream(client, MODELS[1] as string, signal));

  await demo.step(
    'Kill the engine of qwen-0-5b and ask again: the request waits for the new one',
    async () => {
      const text = await show(
        'delete',
        'pod',
        '-n',
        'team-a',
        '-l',
        'vllm-operator.dev/model=qwen-0-5b',
        '--grace-period=0',
        '--force',
        '--wait=false',
      );
      return `${text}${await ask(client, 'qwen-0-5b', signal)}`;
    },
  );
  await demo.step('Change an engine setting under load: the rollout loses no request', async () => {
    await run('wait', '--for=condition=Ready', 'vmodel/qwen-0-5b', '-n', 'team-a', '--timeout=60s');
    const stop = new AbortController();
    const traffic = keepAsking(client, 'qwen-0-5b', stop.signal);
    const patch = '{"spec":{"engine":{"batching":{"maxNumSeqs":48}}}}';
    const text = await show('patch', 'vmodel', 'qwen-0-5b', '-n', 'team-a', '--type=merge', '-p', patch);
    await run('wait', '--for=condition=Reconciling', 'vmodel/qwen-0-5b', '-n', 'team-a', '--timeout=30s');
    await run(
      'wait',
      '--for=condition=Reconciling=false',
      'vmodel/qwen-0-5b',
      '-n',
      'team-a',
      '--timeout=120s',
    );
    stop.abort();
    const { answered, failures } = await traffic;
    if (failures.length > 0)
      throw new Error(`${failures.length} of ${answered + failures.length} requests failed: ${failures[0]}`);
    return `${text}${answered} requests during the rollout, 0 failed`;
  });

  await demo.step('Send a burst: qwen-7b grows from one replica to three', async () => {
    // An engine is kept for five minutes by default, which is long for a demonstration.
    const behavior = { scaleDown: { stabilizationWindowSeconds: 10 } };
    const scaling = { replicas: null, minReplicas: 1, maxReplicas: 3, target: 2, behavior };
    const patch = JSON.stringify({ spec: { scaling } });
    await run('patch', 'vmodel', 'qwen-7b', '-n', 'team-b', '--type=merge', '-p', patch);
    const stop = new AbortController();
    const clients = Array.from({ length: 8 }, () => keepAsking(client, 'qwen-7b', stop.signal, 200));
    await run(
      'wait',
      '--for=jsonpath={.status.readyReplicas}=3',
      'vmodel/qwen-7b',
      '-n',
      'team-b',
      '--timeout=120s',
    );
    stop.abort();
    const reports = await Promise.all(clients);
    const failed = reports.flatMap(({ failures }) => failures);
    if (failed.length > 0) throw new Error(`${failed.length} requests failed: ${failed[0]}`);
    return `${await show('get', 'vmodel', 'qwen-7b', '-n', 'team-b')}${reports.reduce((sum, { answered }) => sum + answered, 0)} requests, 0 failed`;
  });
  await demo.step('Ask for two more models that sleep, with one accelerator for both', async () => {
    const text = await show('apply', '-f', 'examples/scale-to-zero.yaml');
    await run(
      'wait',
      '--for=condition=Ready',
      'vpool/small',
      'vmodel/writer',
      'vmodel/coder',
      '-n',
      'team-c',
      '--timeout=60s',
    );
    return `${text}${await show('get', 'vmodel', '-n', 'team-c')}`;
  });
  const small = new OpenAI({ baseURL: await routerUrl(run, 'team-c'), apiKey: 'none' });
  await demo.step('Ask writer: the request is held while it wakes', () => ask(small, 'writer', signal));
  await demo.step('Ask coder: writer goes to sleep for it', async () => {
    const answer = await ask(small, 'coder', signal);
    return `${answer}\n${await show('get', 'events', '-n', 'team-c', '--field-selector', 'reason=Evicted', '-o', 'custom-columns=WHO:.involvedObject.name,WHAT:.message')}`;
  });
  await demo.step('Leave coder alone for three seconds: it goes to zero by itself', async () => {
    await run(
      'patch',
      'vmodel',
      'coder',
      '-n',
      'team-c',
      '--type=merge',
      '-p',
      '{"spec":{"scaling":{"idleTimeout":"3s"}}}',
    );
    await run('wait', '--for=jsonpath={.status.state}=Idle', 'vmodel/coder', '-n', 'team-c', '--timeout=60s');
    return await show('get', 'vmodel', '-n', 'team-c');
  });
  await demo.step('See qwen-7b shrink to one replica again, a minute after the burst', async () => {
    await run(
      'wait',
      '--for=jsonpath={.status.replicas}=1',
      'vmodel/qwen-7b',
      '-n',
      'team-b',
      '--timeout=180s',
    );
    return await show('get', 'vmodel', 'qwen-7b', '-n', 'team-b');
  });

  if (stay) {
    console.log(
      `\nEverything keeps running until Ctrl-C.\n    export KUBECONFIG=${cluster.kubeconfigPath}\n    OpenAI API:   ${url}\n    operator log: ${join(logs, 'operator.log')}`,
    );
    await once(signal, 'abort');
    return;
  }
  await demo.step('Delete everything, and see that nothing is left', async () => {
    // Models of the second file go with the namespaces of the first.
    await run(
      'delete',
      '--ignore-not-found',
      '-f',
      'examples/quickstart.yaml',
      '-f',
      'examples/scale-to-zero.yaml',
      '--timeout=90s',
    );
    const left = await run(
      'get',
      'deploy,svc,cm,pdb,netpol,sa,pods',
      '-A',
      '-l',
      'app.kubernetes.io/managed-by=vllm-operator',
      '-o',
      'name',
    );
    if (left.trim() !== '') throw new Error(`left behind:\n${left}`);
    return 'no object with app.kubernetes.io/managed-by=vllm-operator is left';
  });
  await operator.stop();
  rmSync(logs, { recursive: true });
  console.log('\nThat was all of it. `npm run demo -- --stay` leaves it running for you to try.');
}

async function ask(client: OpenAI, model: string, signal: AbortSignal): Promise<string> {
  const started = performance.now();
  const answer = await client.chat.completions.create(
    { model, messages: [{ role: 'user', content: 'Say hello.' }], max_tokens: 16 },
    { signal },
  );
  return `${model}: "${answer.choices[0]?.message.content}" (${answer.usage?.completion_tokens} tokens in ${Math.round(performance.now() - started)} ms)`;
}

async function stream(client: OpenAI, model: string, signal: AbortSignal): Promise<string> {
  const chunks: string[] = [];
  const parts = await client.chat.completions.create(
    { model, messages: [{ role: 'user', content: 'Count.' }], max_tokens: 16, stream: true },
    { signal },
  );
  for await (const part of parts) chunks.push(part.choices[0]?.delta.content ?? '');
  return `${model}: "${chunks.join('')}" (${chunks.length} chunks)`;
}

/** The pool's Service as the demo reaches it: on devcluster, cluster IPs are addresses of this machine. */
async function routerUrl(run: (...args: string[]) => Promise<string>, namespace: string): Promise<string> {
  const service = JSON.parse(
    await run('get', 'service', '-n', namespace, '-l', 'app.kubernetes.io/component=router', '-o', 'json'),
  ) as {
    items: { spec: { clusterIP: string; ports: { name: string; port: number }[] } }[];
  };
  const spec = service.items[0]?.spec;
  const port = spec?.ports.find(({ name }) => name === 'http')?.port;
  if (!spec || port === undefined) throw new Error('the pool has no router Service with a port named http');
  return `http://${spec.clusterIP}:${port}/v1`;
}

/** Runs the operator as a process of its own, and returns once it leads. */
async function startOperator(
  kubeconfig: string,
  log: string,
  signal: AbortSignal,
): Promise<AsyncDisposable & { stop: () => Promise<void> }> {
  const child = spawn(
    process.execPath,
    [
      join(root, 'operator/main.ts'),
      'run',
      '--kubeconfig',
      kubeconfig,
      '--probe-host',
      '127.0.0.1',
      '--probe-port',
      '0',
    ],
    {
      cwd: root,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  const file = createWriteStream(log);
  child.stderr.pipe(file);
  const exited = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  const leads = new Promise<void>((resolve) => {
    child.stderr.on('data', (chunk: Buffer) => {
      if (chunk.includes('"leading"')) resolve();
    });
  });
  const aborted = once(signal, 'abort').then(() => 'aborted' as const);
  const outcome = await Promise.race([
    leads.then(() => 'leads' as const),
    exited.then(() => 'exited' as const),
    aborted,
  ]);
  if (outcome === 'exited') throw new Error(`the operator ended at once: see ${log}`);
  return { stop, [Symbol.asyncDispose]: stop };
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
