import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { perTest } from './support/per-test.ts';

describe('series of metrics', () => {
  const { engine, start } = perTest();

  test('one team cannot use up those of the others, and what it has too many of is counted together', async () => {
    const upstream = await engine();
    const names = Array.from({ length: 30 }, (_, i) => `team-b/part-${i}`);
    const key = (name: string, tenant: string) => ({
      sha256: createHash('sha256').update(name).digest('hex'),
      tenant,
    });
    const router = await start({
      table: table([model('m', [upstream.address])], {
        auth: 'APIKey',
        keys: [key('c', 'team-c'), ...names.map((name) => key(name, name))],
      }),
      limits: { maxSeries: 200 },
    });
    const ask = async (token: string) => {
      const answer = await fetch(`${router.url}/v1/completions`, {
        method: 'POST',
        body: '{"model":"m"}',
        headers: { authorization: `Bearer ${token}` },
      });
      await answer.text();
    };
    const requests = async () =>
      [...(await router.metrics()).matchAll(/requests_total\{(.*tenant="(team-[^"]+)".*)\} (\d+)/g)].map(
        ([, labels, tenant, count]) => ({ labels, tenant, count: Number(count) }),
      );
    const total = async (tenant: RegExp) =>
      (await requests())
        .filter((line) => tenant.test(line.tenant ?? ''))
        .reduce((sum, { count }) => sum + count, 0);
    // Histograms of the model take up some, and engines' codes of answers are series too.
    for (const [i, name] of names.entries()) {
      for (let code = 409; code < 419; code += 1) {
        upstream.answer = (_, reply) => reply.writeHead(code).end('{}');
        await ask(name);
      }
      await expect
        .poll(async () => await total(/^team-b/), { message: 'they are counted' })
        .toBe(10 * (i + 1));
    }
    upstream.answer = (_, reply) => reply.end('{}');
    await ask('c');
    await expect
      .poll(
        async () =>
          (await requests()).some(
            ({ tenant, labels, count }) =>
              tenant === 'team-c' && labels?.includes('model="m"') && count === 1,
          ),
        { message: 'another team has its own' },
      )
      .toBeTruthy();
    expect((await requests()).filter(({ labels }) => labels?.includes('(other)'))).toMatchObject([
      { labels: 'model="(other)",namespace="team-b",tenant="team-b",code="(other)"' },
    ]);
    expect((await requests()).length).toBeLessThan(110);
  });

  test('answers that take long to make are few at a time', async () => {
    const models = Array.from({ length: 2000 }, (_, i) => model(`m${i}`, ['127.0.0.1:1']));
    const router = await start({ table: table(models), workers: 1 });
    const answers = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const answer = await fetch(`${router.metricsUrl}/metrics`);
        return { status: answer.status, text: await answer.text() };
      }),
    );
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.text).toContain('Too many ask for the metrics');
    const served = answers.filter(({ status }) => status === 200);
    expect(served.length + refused.length).toBe(30);
    expect(served.length).toBeGreaterThan(1);
    expect(await router.metrics()).toContain('model="m1999"');
    expect(router.errors(), 'strangers write no log').toBe('');
  });
});
