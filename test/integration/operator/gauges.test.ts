/** What the leader says in its metrics of models, pools, quotas and certificates. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  INFERENCE_MODELS,
  INFERENCE_POOLS,
  type InferenceModel,
  type InferencePool,
} from '../../../operator/api/types.ts';
import type { AdvisedModel } from '../../../operator/cli/advise-cluster.ts';
import { adviseCommand } from '../../../operator/cli/advise-command.ts';
import { usageCommand } from '../../../operator/cli/usage-command.ts';
import { STATUS_FIELD_MANAGER } from '../../../operator/controllers/shared/cluster-state.ts';
import type { ConfigMap, Deployment, Pod } from '../../../operator/controllers/shared/workloads.ts';
import { readUsage, USAGE_SELECTOR } from '../../../operator/controllers/usage/usage-record.ts';
import { secondTime } from '../../../operator/kube/clock.ts';
import { CONFIG_MAPS, DEPLOYMENTS, PODS } from '../../../operator/kube/resource-types.ts';
import { engineLabels } from '../../../operator/render/labels.ts';
import type { UsageRow } from '../../../operator/usage/report.ts';
import { fastClock } from '../../unit/kube/support/fake-clock.ts';
import { allOf } from '../../unit/usage/support.ts';
import { Harness, type RunningOperator } from './support/harness.ts';

let harness: Harness;
let operator: RunningOperator;
let namespace: string;

beforeAll(async () => {
  harness = await Harness.start();
  operator = await harness.startOperator();
  namespace = await harness.namespace();
  await harness.createPool(namespace, {
    accelerator: { type: 'A100x2', hourlyCost: '1.50' },
    capacity: { accelerators: 8, namespaceQuotas: [{ namespace, accelerators: 6 }] },
    responseCache: { enabled: false },
  });
});
afterAll(() => harness.close());

/** Values of a metric of this test's namespace by the labels that differ. */
async function values(name: string, label: string): Promise<Record<string, number>> {
  const lines = (await operator.metrics()).matchAll(new RegExp(`^${name}\\{(.*)\\} (\\S+)$`, 'gm'));
  const found = [...lines].filter(([, labels]) => labels?.includes(`namespace="${namespace}"`));
  return Object.fromEntries(
    found.map(([, labels = '', value]) => [
      new RegExp(`(?:^|,)${label}="([^"]*)"`).exec(labels)?.[1] ?? '',
      Number(value),
    ]),
  );
}

describe('gauges of the leader', () => {
  it('show the state of a model, and why it stalls', async () => {
    await harness.createModel(namespace, 'sleeps', {
      scaling: { minReplicas: 0, maxReplicas: 2 },
    });
    await harness.createModel(namespace, 'too-many', { scaling: { replicas: 4 } });
    await expect
      .poll(async () => await values('vllm_operator_model_state', 'model'))
      .toHaveProperty('sleeps');
    await expect
      .poll(async () => await values('vllm_operator_model_state', 'state'))
      .toMatchObject({ Idle: 1 });
    await expect
      .poll(async () => await values('vllm_operator_model_stalled', 'reason'))
      .toEqual({ QuotaExceeded: 1 });
    expect(await values('vllm_operator_model_stalled', 'model')).toEqual({ 'too-many': 1 });
    expect(await values('vllm_operator_model_available', 'model')).toMatchObject({ 'too-many': 0 });
    expect(await operator.metrics()).toContain('vllm_operator_wake_failures_total{reason="WakeTimeout"} 0\n');

    await harness.client.delete(INFERENCE_MODELS, { namespace, name: 'too-many' });
    await expect
      .poll(async () => await values('vllm_operator_model_stalled', 'reason'), { message: 'it is gone' })
      .toEqual({});
  });

  it('show conditions and budget of a pool, and quotas', async () => {
    await expect
      .poll(async () => await values('vllm_operator_pool_condition', 'type'))
      .toMatchObject({ CacheReady: 1 });
    await expect
      .poll(async () => await values('vllm_operator_pool_accelerators', 'type'))
      .toEqual({ limit: 8, used: 0, charged: 4 });
    await expect
      .poll(async () => await values('vllm_operator_namespace_accelerators', 'type'))
      .toEqual({ limit: 6, used: 0, charged: 4 });
  });

  it('show when certificates expire', async () => {
    const text = await operator.metrics();
    const expiry = /vllm_operator_certificate_expiry_timestamp_seconds\{certificate="ca"\} (\d+)/.exec(text);
    const years = (Number(expiry?.[1]) - Date.now() / 1000) / (365 * 86_400);
    expect(Math.round(years)).toBe(10);
  });

  it('are those of one operator', async () => {
    const second = await harness.startOperator();
    await expect.poll(async () => await second.metrics()).toContain('reflector_items');
    expect(second.isLeader()).toBe(false);
    expect(await second.metrics()).not.toMatch(/^vllm_operator_model_state\{/m);
    await operator.stop();
    await expect
      .poll(async () => await second.metrics(), { message: 'the next leader shows them' })
      .toMatch(/^vllm_operator_model_state\{.*model="sleeps"/m);
    expect(await operator.metrics()).not.toMatch(/^vllm_operator_model_state\{/m);
    operator = second;
  });
});

describe('usage', () => {
  it('is in the record when the operator stops, goes on in the next one, and is what the commands print and advise by', async () => {
    const { client } = harness;
    const labels = engineLabels({ name: 'sleeps', namespace }, { name: 'pool', namespace });
    await client.create<Pod>(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'engine', namespace, labels },
      spec: {
        containers: [{ name: 'vllm', image: 'vllm', resources: { limits: { 'nvidia.com/gpu': '2' } } }],
      },
    });
    const startTime = secondTime(Date.now());
    await client.patch(
      PODS,
      { namespace, name: 'engine' },
      { merge: { status: { startTime } } },
      {
        subresource: 'status',
      },
    );
    const accelerators = async () => {
      await operator.stop();
      const { items } = await client.list<ConfigMap>(CONFIG_MAPS, {
        namespace,
        labelSelector: USAGE_SELECTOR,
      });
      const pool = await client.get<InferencePool>(INFERENCE_POOLS, { namespace, name: 'pool' });
      const ledger = readUsage(pool, items).ledgers.get(namespace)?.ledger;
      const used = ledger && allOf(ledger, 'sleeps').acceleratorMs;
      const until = ledger && Math.max(...ledger.pods.values());
      return { used, expected: 2 * ((until ?? 0) - Date.parse(startTime)) };
    };
    await expect
      .poll(async () => await values('vllm_operator_model_accelerators', 'model'))
      .toHaveProperty('sleeps');
    const first = await accelerators();
    expect(first.used).toBe(first.expected);
    operator = await harness.startOperator();
    await expect.poll(() => operator.isLeader()).toBe(true);
    const second = await accelerators();
    expect(second.used).toBe(second.expected);
    expect(second.used).toBeGreaterThan(first.used ?? 0);

    const out: string[] = [];
    const io = { write: (text: string) => out.push(text), fail: (text: string) => out.push(text) };
    const command = usageCommand(io, () => undefined, new AbortController().signal);
    await command.parseAsync(['--kubeconfig', harness.kubeconfig, '-n', namespace, '-o', 'json'], {
      from: 'user',
    });
    const { rows } = JSON.parse(out.join('')) as { rows: UsageRow[] };
    expect(rows.map(({ name }) => name)).toEqual([`${namespace}/sleeps`]);
    expect(rows[0]?.acceleratorSeconds).toBe((second.used ?? 0) / 1_000);
    expect(rows[0]?.cost).toBeCloseTo(((second.used ?? 0) / 3_600_000) * 1.5, 5);

    out.length = 0;
    await adviseCommand(io, () => undefined, new AbortController().signal).parseAsync(
      ['--kubeconfig', harness.kubeconfig, '-n', namespace, '-o', 'json'],
      { from: 'user' },
    );
    const { models } = JSON.parse(out.join('')) as { models: AdvisedModel[] };
    expect(models.map(({ model, pool }) => [model, pool])).toContainEqual([
      `${namespace}/sleeps`,
      `${namespace}/pool`,
    ]);
    const { lacks } = models.find(({ model }) => model === `${namespace}/sleeps`) ?? {};
    expect(lacks?.find(({ rule }) => rule === 'ContextUnused')?.needs).toMatch(/^7 days of record/);
  });

  it('comes into the status of model and pool once a minute, and into counters; old advice is removed', async () => {
    const left = await harness.client.get<InferenceModel>(INFERENCE_MODELS, { namespace, name: 'sleeps' });
    const advice = [
      { rule: 'ReplicasUnused', change: 'lower minReplicas from 6 to 4', monthlySaving: '2920.00' },
    ];
    const { apiVersion, kind } = left;
    const metadata = { namespace, name: 'sleeps' };
    const body = { apiVersion, kind, metadata, status: { ...left.status, advice } };
    const written = await harness.client.apply<InferenceModel>(INFERENCE_MODELS, body, {
      subresource: 'status',
      fieldManager: STATUS_FIELD_MANAGER,
    });
    expect(written.status?.advice).toEqual(advice);
    operator = await harness.startOperator(fastClock(300));
    const used = ({ status }: InferenceModel | InferencePool) =>
      (status?.usage?.day.acceleratorSeconds ?? 0) > 60;
    const model = await harness.until<InferenceModel>(INFERENCE_MODELS, namespace, 'sleeps', 'usage', used);
    await harness.until<InferencePool>(INFERENCE_POOLS, namespace, 'pool', 'usage', used);
    expect(Number(model.status?.usage?.month.cost)).toBeGreaterThan(0);
    const name = 'vllm_operator_model_accelerator_seconds_total';
    await expect.poll(async () => await values(name, 'model')).toHaveProperty('sleeps');
    const isGone = ({ status }: InferenceModel) => status?.usage !== undefined && status.advice === undefined;
    await harness.until<InferenceModel>(INFERENCE_MODELS, namespace, 'sleeps', 'no advice', isGone);
  });

  it('stops models of a namespace whose budget is used up, until it is raised', async () => {
    const { client } = harness;
    const setBudget = async (monthly: string) => {
      const namespaceBudgets = [{ namespace, monthly, action: 'Stop' }];
      await client.patch(
        INFERENCE_POOLS,
        { namespace, name: 'pool' },
        { merge: { spec: { capacity: { namespaceBudgets } } } },
      );
    };
    const replicas = async () =>
      (await client.get<Deployment>(DEPLOYMENTS, { namespace, name: 'vllm-runs' })).spec.replicas;
    await harness.createModel(namespace, 'runs', { scaling: { replicas: 1 } });
    await expect.poll(async () => await replicas().catch(() => undefined)).toBe(1);
    await setBudget('0.01');
    await harness.untilCondition(namespace, 'runs', 'WithinBudget', 'False', 'BudgetExhausted');
    await harness.untilCondition(namespace, 'runs', 'Stalled', 'True', 'BudgetExhausted');
    await expect.poll(replicas).toBe(0);
    const used = await values('vllm_operator_namespace_budget', 'type');
    expect(used).toMatchObject({ limit: 0.01 });
    expect(used.used).toBeGreaterThan(0.01);
    await setBudget('1000');
    await harness.untilCondition(namespace, 'runs', 'WithinBudget', 'True', 'WithinBudget');
    await expect.poll(replicas).toBe(1);
  });
});
