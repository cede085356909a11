/** Mistakes in the options of tune: each ends the command before anything is created. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { INFERENCE_MODELS, INFERENCE_POOLS } from '../../../operator/api/types.ts';
import { tuneCommand } from '../../../operator/cli/tune-command.ts';
import { MiniApi } from '../kube/support/mini-api.ts';

const META = { namespace: 'team', name: 'chat', uid: 'uid', generation: 1 };
const SPEC = { poolRef: { name: 'pool' }, model: { source: 'hf://Qwen/Qwen3-8B' } };

/** Runs the command on an API server with a model and its pool. */
async function tune(...args: string[]) {
  const api = await MiniApi.start();
  const directory = mkdtempSync(join(tmpdir(), 'tune-'));
  onTestFinished(async () => {
    await api.close();
    rmSync(directory, { recursive: true });
  });
  const apiVersion = 'vllm-operator.dev/v1alpha1';
  const model = { apiVersion, kind: 'InferenceModel', metadata: META, spec: SPEC };
  api.store.put(INFERENCE_MODELS, model as never);
  const candidate = { ...META, name: 'tune-chat', labels: { 'vllm-operator.dev/tune-of': 'chat' } };
  api.store.put(INFERENCE_MODELS, { ...model, metadata: candidate } as never);
  const pool = { namespace: 'team', name: 'pool' };
  const spec = { accelerator: { type: 'L4' }, admission: { batchWindow: '0ms' } };
  api.store.put(INFERENCE_POOLS, { apiVersion, kind: 'InferencePool', metadata: pool, spec } as never);
  const kubeconfig = join(directory, 'kubeconfig');
  const context = { cluster: 'it', user: 'me', namespace: 'team' };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'it', cluster: { server: api.url } }],
    users: [{ name: 'me', user: {} }],
    contexts: [{ name: 'it', context }],
    'current-context': 'it',
  };
  writeFileSync(kubeconfig, JSON.stringify(config));
  let said = '';
  let code: number | undefined;
  const write = (text: string) => {
    said += text;
  };
  const io = { write, fail: write, signal: new AbortController().signal, isTerminal: false, env: {} };
  const command = tuneCommand(io, (ended) => {
    code = ended;
  })
    .exitOverride()
    .configureOutput({ writeErr: write });
  await command
    .parseAsync(['node', 'tune', '--kubeconfig', kubeconfig, '--directory', directory, ...args])
    .catch((error: { exitCode?: number }) => {
      code = error.exitCode;
    });
  expect(api.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  return { code, said };
}

const SLO = ['--slo', 'p95=1s'];

test.each<[string[], RegExp]>([
  [['nothing', ...SLO], /InferenceModel team\/nothing does not exist; kubectl get vmodel -A/],
  [['tune-chat', ...SLO], /tune-chat is itself a candidate of chat/],
  [['chat'], /required option '--slo/],
  [['chat', '--slo', 'p95=soon'], /'p95=soon' is invalid. Use latency/],
  [['chat', ...SLO], /has no status.url; is the operator running\? Else pass --url/],
  [['chat', ...SLO, '--url', 'http://127.0.0.1:1'], /--url "http:\/\/127.0.0.1:1": connect ECONNREFUSED/],
  [['chat', ...SLO, '--url', 'http://me:secret@127.0.0.1:1'], /--url: it has credentials; leave them out/],
  [['chat', ...SLO, '--set', 'scaling.replicas=2'], /'scaling.replicas=2' is invalid. write the path/],
  [['chat', ...SLO, '--set', 'engine.maxSeqs=2'], /engine.maxSeqs 2: there is no such field/],
  [['chat', ...SLO, '--set', 'engine.seed=1', '--set', 'engine.seed=2'], /engine.seed: it is there twice/],
  [
    ['chat', ...SLO, '--set', 'engine.a=1,2,3,4,5,6,7,8,9', '--set', 'engine.b=1,2,3,4,5,6,7,8'],
    /72 combinations, more than 64; vary fewer/,
  ],
  [['chat', ...SLO, '--window', '5'], /'5' is invalid. Use 0 and integers from 10 to 50/],
  [['chat', ...SLO, '--min-rate', '5', '--max-rate', '2'], /--min-rate 5: it is above --max-rate 2/],
  [['chat', ...SLO, '--step', '0'], /'0' is invalid. Use a number from 1 to 100/],
  [['chat', ...SLO, '--profile', 'Latency'], /--profile Latency: spec.engine.profiles/],
])('%j ends with what to do', async (args, message) => {
  const { code, said } = await tune(...args);

  expect(said).toMatch(message);
  expect(code).toBe(1);
  expect(said).not.toContain('secret');
});
