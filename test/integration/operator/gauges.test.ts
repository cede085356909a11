/** What the leader says in its metrics of models, pools, quotas and certificates. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INFERENCE_MODELS } from '../../../operator/api/types.ts';
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
