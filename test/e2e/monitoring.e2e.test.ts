/**
 * A real Prometheus looks at a real operator, routers and simulated engines, and at a stand-in for DCGM's exporter, through an
 * incident. `WRITE_IMAGES=1` draws the dashboards of it for the documentation.
 */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dashboard } from '../../hack/monitoring/dashboard.ts';
import { DASHBOARDS } from '../../hack/monitoring/dashboards/all.ts';
import { ruleGroups, USUAL } from '../../hack/monitoring/rules.ts';
import { scrapeConfigs } from '../../hack/monitoring/scrape-config.ts';
import { INFERENCE_MODELS } from '../../operator/api/types.ts';
import type { KubeObject } from '../../operator/kube/object.ts';
import { PODS } from '../../operator/kube/resource-types.ts';
import { durationSeconds } from '../../operator/values/units.ts';
import { eventually } from '../support/eventually.ts';
import { CLUSTER_PATIENCE } from '../support/patience.ts';
import { type PlotLine, plot } from './support/plot.ts';
import { freePort, type Line, type Prometheus, startPrometheus } from './support/prometheus.ts';
import { World } from './support/world.ts';

/** Rules look back over a hundredth of what they do in production. Days stay long: there is no more than what there is. */
const SHRINK = 100;
const INTERVAL = '1s';
const TARGETS = ['dcgm', 'vllm-engines', 'vllm-operator', 'vllm-routers'];
/** Many tokens, so that a long answer shows in counters of tokens. */
const TOKENS = 24;

interface PodWithPorts extends KubeObject {
  spec: { containers: { ports?: { name?: string; containerPort: number }[] }[] };
  status?: { podIP?: string };
}

let world: World;
let namespace: string;
let url: string;
let directory: string;
let prometheus: Prometheus;
let standIns: Server;
let operatorPort: number;
const began = Date.now() / 1000;
const traffic = new AbortController();
let clients: Promise<unknown>;

/** Says of each engine's GPU that it is half busy, as DCGM's exporter does. */
async function gpuMetrics(): Promise<string> {
  const pods = await world.pods(namespace, 'engine');
  const lines = pods.flatMap(({ metadata: { name } }, gpu) => {
    const labels = `gpu="${gpu}",UUID="GPU-${gpu}",namespace="${namespace}",pod="${name}"`;
    const busy = Math.round(30 + 10 * Math.sin(Date.now() / 3000 + gpu));
    return [`DCGM_FI_DEV_GPU_UTIL{${labels}} ${busy}`, `DCGM_FI_DEV_FB_USED{${labels}} 21000`];
  });
  return `${lines.join('\n')}\n`;
}

/** The targets that Prometheus would find by itself in a cluster. Debian's build of it cannot ask an API server. */
async function targetsOf(labelSelector: string): Promise<string> {
  const { items } = await world.client.list<PodWithPorts>(PODS, { labelSelector });
  const groups = items.flatMap(({ metadata, spec, status }) =>
    spec.containers.flatMap(({ ports = [] }) =>
      ports.map(({ name, containerPort }) => ({
        targets: status?.podIP ? [`${status.podIP}:${containerPort}`] : [],
        labels: {
          __meta_kubernetes_namespace: metadata.namespace,
          __meta_kubernetes_pod_name: metadata.name,
          __meta_kubernetes_pod_container_port_name: name,
          ...Object.fromEntries(
            Object.entries(metadata.labels ?? {}).map(([label, value]) => [
              `__meta_kubernetes_pod_label_${label.replaceAll(/[^a-zA-Z0-9]/g, '_')}`,
              value,
            ]),
          ),
        },
      })),
    ),
  );
  return JSON.stringify(groups);
}

/** What stands in for DCGM's exporter and for the discovery of Prometheus. Returns its port. */
async function startStandIns(): Promise<number> {
  standIns = createServer((request, response) => {
    const address = new URL(request.url ?? '/', 'http://stand-in');
    const selector = address.searchParams.get('selector');
    response.setHeader('content-type', selector === null ? 'text/plain' : 'application/json');
    (selector === null ? gpuMetrics() : targetsOf(selector)).then(
      (text) => response.end(text),
      () => response.destroy(),
    );
  }).listen(0, '127.0.0.1');
  await once(standIns, 'listening');
  const address = standIns.address();
  return typeof address === 'object' && address ? address.port : 0;
}

/** The jobs of the plain configuration, with the stand-in's discovery. The operator is no pod here. */
function jobs(port: number): object[] {
  const discovered = scrapeConfigs().map(({ kubernetes_sd_configs: [found], ...job }) => ({
    ...job,
    http_sd_configs: [
      {
        url: `http://127.0.0.1:${port}/?selector=${encodeURIComponent(found?.selectors[0]?.label ?? '')}`,
        refresh_interval: INTERVAL,
      },
    ],
  }));
  const named = (job_name: string, target: number, pod: string, namespaceOfPod: string) => ({
    job_name,
    static_configs: [{ targets: [`127.0.0.1:${target}`], labels: { namespace: namespaceOfPod, pod } }],
  });
  return [
    named('vllm-operator', operatorPort, 'operator-0', USUAL.operatorNamespace),
    ...discovered.slice(1),
    named('dcgm', port, 'dcgm-0', 'gpu-operator'),
  ];
}

/** Asks a model, and reads the answer; what comes of it is for Prometheus to tell. */
async function ask(model: string, prompt: string, stream = false): Promise<void> {
  const response = await fetch(`${url}/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, prompt, max_tokens: TOKENS, temperature: 0, stream }),
  });
  await response.text();
}

/** Clients that ask one question after the other: some that others ask too, some in streams, some for a model that is full. */
async function runClients(): Promise<void> {
  const client = async (model: string, own: (n: number) => string, stream: boolean) => {
    for (let n = 0; !traffic.signal.aborted; n += 1) {
      await ask(model, own(n), stream).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  await Promise.all([
    ...[0, 1, 2].map(() => client('chat', (n) => `question ${n % 20}`, false)),
    client('chat', (n) => `A long text that is the same each time. ${'word '.repeat(60)} ${n}`, true),
    ...[0, 1, 2, 3, 4, 5].map((i) => client('narrow', (n) => `${i} asks ${n}`, false)),
  ]);
}

beforeAll(async () => {
  operatorPort = await freePort();
  world = await World.start({ operatorArgs: ['--probe-port', String(operatorPort)] });
  namespace = await world.namespace();
  directory = await mkdtemp(join(tmpdir(), 'prometheus-'));
  const config = {
    interval: INTERVAL,
    groups: ruleGroups({
      ...USUAL,
      duration: (text) => (text.endsWith('d') ? text : `${Math.ceil((1000 * seconds(text)) / SHRINK)}ms`),
    }),
    scrape_configs: jobs(await startStandIns()),
  };
  await world.createPool(namespace, {
    accelerator: { type: 'L4', hourlyCost: '0.80' },
    capacity: { accelerators: 3, overcommit: true, namespaceQuotas: [{ namespace, accelerators: 4 }] },
    router: { replicas: 2 },
  });
  await world.createModel(namespace, 'chat', { admission: { batchWindow: '10ms', adaptiveConcurrency: {} } });
  await world.createModel(namespace, 'narrow', {
    engine: { batching: { maxNumSeqs: 1 } },
    admission: { maxQueue: 3, degradation: [{ queueAbove: 1, maxTokens: 8 }] },
  });
  await world.createModel(namespace, 'sleeper', {
    scaling: { minReplicas: 0, maxReplicas: 1, idleTimeout: '600s' },
  });
  await world.poolReady(namespace);
  for (const model of ['chat', 'narrow', 'sleeper']) await world.modelReady(namespace, model);
  url = await world.url(namespace);
  prometheus = await startPrometheus(join(directory, 'prometheus'), config);
  await eventually('all targets are up', async () => (await jobsThatAreUp()).join() === TARGETS.join());
  clients = runClients();
});
afterAll(async () => {
  traffic.abort();
  await clients;
  await prometheus?.close();
  standIns?.closeAllConnections();
  standIns?.close();
  await world?.close();
  if (directory) await rm(directory, { recursive: true, force: true });
});

const seconds = (text: string) =>
  text.endsWith('d') ? 86_400 * Number.parseInt(text, 10) : durationSeconds(text);

async function jobsThatAreUp(): Promise<string[]> {
  const targets = await prometheus.targets();
  return [...new Set(targets.filter(({ health }) => health === 'up').map(({ job }) => job))].sort();
}

async function firing(): Promise<string[]> {
  const alerts = await prometheus.alerts();
  const names = alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname ?? '');
  return [...new Set(names)].sort();
}

/** A query as Grafana asks it, with everything chosen. */
function asked(expr: string, { variables }: Pick<Dashboard, 'variables'>): string {
  const operators = variables.some(({ onlyFound }) => onlyFound);
  return expr
    .replaceAll('$__rate_interval', '4s')
    .replaceAll(/\$(namespace|team|model)\b/g, operators ? USUAL.operatorNamespace : '.*');
}

/** Lines with at least one number. */
async function lines(expr: string): Promise<Line[]> {
  const all = await prometheus.range(expr, began);
  return all.filter(({ values }) => values.some(([, value]) => Number.isFinite(Number(value))));
}

describe('monitoring, with a real Prometheus', () => {
  it('alerts fire in an incident, and end with it', { timeout: 240_000 }, async () => {
    // A model wakes, and another finds no accelerators: more than others could give up, so that none sleeps for it.
    const wake = (text: string) =>
      Promise.all(Array.from({ length: 8 }, (_, i) => ask('sleeper', `${text} ${i}`)));
    await wake('wake up');
    await world.createModel(namespace, 'greedy', { scaling: { replicas: 3 } });
    await world.createModel(namespace, 'double', { model: { source: 'hf://a/b', servedNames: ['chat'] } });
    await expect.poll(firing, CLUSTER_PATIENCE).toContain('VllmModelStalled');
    await world.client.delete(INFERENCE_MODELS, { namespace, name: 'double' });
    await expect.poll(firing, CLUSTER_PATIENCE).not.toContain('VllmModelStalled');

    // The engine is gone: clients are held, and it comes back.
    await world.kubectl(
      '-n',
      namespace,
      'delete',
      'pod',
      '-l',
      'vllm-operator.dev/model=sleeper',
      '--wait=false',
    );
    await expect
      .poll(
        async () => (await lines('sum(vllm_router_endpoints{model="sleeper"}) == 0')).length,
        CLUSTER_PATIENCE,
      )
      .toBeGreaterThan(0);
    // So many that one router has held some both times: a counter that begins with what it counts has no rate.
    await wake('again');

    // Somebody suspends a model that is in use.
    await world.patchModel(namespace, 'chat', { suspend: true });
    await expect
      .poll(firing, CLUSTER_PATIENCE)
      .toEqual(expect.arrayContaining(['VllmErrorRateHigh', 'VllmErrorBudgetBurnsFast']));
    await world.patchModel(namespace, 'chat', { suspend: false });
    await world.modelReady(namespace, 'chat');
    await expect.poll(firing, CLUSTER_PATIENCE).not.toContain('VllmErrorRateHigh');

    // No operator leads, until another does.
    await world.operators[0]?.stop('SIGKILL');
    await expect.poll(firing, CLUSTER_PATIENCE).toContain('VllmOperatorWithoutLeader');
    await world.startOperator().untilLeads();
    await expect.poll(firing, CLUSTER_PATIENCE).not.toContain('VllmOperatorWithoutLeader');
  });

  it('all recording rules have data, and no rule an error', async () => {
    for (const rule of ruleGroups().flatMap(({ rules }) => rules)) {
      if (!('record' in rule)) continue;
      await expect
        .poll(async () => (await lines(rule.record)).length, { message: rule.record })
        .toBeGreaterThan(0);
    }
    expect(await prometheus.ruleErrors()).toEqual([]);
  });

  it.each(DASHBOARDS)('each query of dashboard $title has data', async (dashboard) => {
    const panels = dashboard.rows.flatMap((row) => row.panels);
    let found = new Map<string, PlotLine[]>();
    const withoutData = async () => {
      found = new Map();
      const empty: string[] = [];
      for (const { title, queries } of panels) {
        const results = await Promise.all(
          queries.map(async ({ expr }) => await lines(asked(expr, dashboard))),
        );
        empty.push(
          ...queries.filter((_, i) => results[i]?.length === 0).map(({ expr }) => `${title}: ${expr}`),
        );
        found.set(
          title,
          results.flatMap((all, i) => all.map((line) => plotLine(line, queries[i]?.legend ?? ''))),
        );
      }
      return empty;
    };
    await expect.poll(withoutData, { ...CLUSTER_PATIENCE, interval: 1000 }).toEqual([]);
    if (process.env.WRITE_IMAGES === '1')
      await writeFile(
        `docs/images/${dashboard.uid}.svg`,
        plot(dashboard, found).replaceAll(namespace, 'team-a'),
      );
  });

  it('takes only metrics of their own kind from routers and engines', async () => {
    const foreign = await lines(
      'count by (__name__) ({job=~"vllm-(routers|engines)",__name__!~"vllm_router_.+|vllm:.+|http_.+|process_.+|python_.+|up|scrape_.+"})',
    );
    expect(foreign.map(({ metric }) => metric)).toEqual([]);
  });
});

function plotLine({ metric, values }: Line, legend: string): PlotLine {
  return {
    name: legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? ''),
    points: values
      .map(([time, value]): [number, number] => [time, Number(value)])
      .filter(([, value]) => Number.isFinite(value)),
  };
}
