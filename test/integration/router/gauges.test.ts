/** What the router says of itself, for dashboards and alerts. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { answerEach, ask, askInTurn, hold, limited } from './support/admission.ts';
import { perTest } from './support/per-test.ts';
import type { Router } from './support/router.ts';

/** The values of a metric by its labels, as in the text; without labels the key is empty. */
async function gauge(router: Router, name: string): Promise<Record<string, number>> {
  const lines = (await router.metrics()).matchAll(
    new RegExp(`^vllm_router_${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'),
  );
  return Object.fromEntries([...lines].map(([, labels = '', value]) => [labels, Number(value)]));
}

async function certificate(directory: string, days: number): Promise<void> {
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-days', String(days), '-subj', '/CN=router.example'],
    ...['-keyout', join(directory, 'tls.key'), '-out', join(directory, 'tls.crt')],
  ]);
}

describe('gauges of the router', () => {
  const { engine: startEngine, start } = perTest();

  test('the active tier of degradation, of models that have tiers', async () => {
    const engine = await startEngine();
    const open = hold(engine);
    const degradation = [
      { queueAbove: 2, maxTokens: 10 },
      { queueAbove: 0, maxTokens: 100 },
    ];
    const limits = { tierHoldMs: 0 };
    const models = [limited(engine, 1, { degradation }), model('other', [])];
    const router = await start({ table: table(models, { limits }) });
    const tier = async () => await gauge(router, 'degradation_tier');
    const labels = 'model="m",namespace="team-a"';
    expect(await tier()).toEqual({ [labels]: 0 });
    const answers = await askInTurn(router, [{}, {}]);
    expect(await tier()).toEqual({ [labels]: 1 });
    answers.push(...[ask(router), ask(router)]);
    await expect.poll(tier).toEqual({ [labels]: 2 });
    await answerEach(open, 0, 4);
    await Promise.all(answers);
    expect(await tier()).toEqual({ [labels]: 0 });
  });

  test('workers, and one that is stuck', async () => {
    const router = await start({ workers: 2, table: table([]) });
    const workers = async () => await gauge(router, 'workers');
    await expect.poll(workers).toEqual({ 'state="working"': 2, 'state="stuck"': 0 });
    const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=', '--ppid', await master(router)]);
    const [stopped] = stdout.trim().split(/\s+/).map(Number);
    process.kill(stopped as number, 'SIGSTOP');
    onTestFinished(() => void process.kill(stopped as number, 'SIGCONT'));
    // Connections that go to the stopped one get no answer: others do.
    await expect
      .poll(async () => await Promise.race([workers(), timeout()]))
      .toEqual({ 'state="working"': 1, 'state="stuck"': 1 });
  });

  test('when the operator was last seen, and when the table changed', async () => {
    const before = Date.now() / 1000 - 1;
    const router = await start();
    const seen = async () => await gauge(router, 'operator_seen_timestamp_seconds');
    const changed = async () => await gauge(router, 'route_table_timestamp_seconds');
    expect(await seen()).toEqual({ '': 0 });
    expect(await changed()).toEqual({ '': 0 });
    await router.put(table([]));
    const [applied] = Object.values(await changed());
    expect(applied).toBeGreaterThan(before);
    await expect.poll(async () => Date.now() / 1000 - (applied ?? 0) > 0.01).toBe(true);
    await router.demand();
    expect((await seen())['']).toBeGreaterThan(applied ?? Number.POSITIVE_INFINITY);
    expect(await changed()).toEqual({ '': applied });
  });

  test('when the certificate of its clients expires, also after a renewal', async () => {
    const secret = await mkdtemp(join(tmpdir(), 'router-tls-'));
    onTestFinished(async () => await rm(secret, { recursive: true, force: true }));
    await certificate(secret, 2);
    const router = await start({
      table: table([]),
      env: { VLLM_ROUTER_TLS: secret, VLLM_ROUTER_TLS_INTERVAL: '0.1' },
    });
    const days = async () => {
      const { '': expiry = 0 } = await gauge(router, 'certificate_expiry_timestamp_seconds');
      return Math.round((expiry - Date.now() / 1000) / 86_400);
    };
    expect(await days()).toBe(2);
    await certificate(secret, 90);
    await expect.poll(days).toBe(90);
  });

  test('no expiry without a certificate', async () => {
    const router = await start({ table: table([]) });
    expect(await gauge(router, 'certificate_expiry_timestamp_seconds')).toEqual({});
  });
});

async function master(router: Router): Promise<string> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=,comm=', '--ppid', String(router.pid)]);
  const line = stdout.split('\n').find((process) => process.includes('nginx'));
  return String(Number.parseInt(line ?? '', 10));
}

async function timeout(): Promise<string> {
  return await new Promise((resolve) => setTimeout(() => resolve('no answer'), 1000));
}
