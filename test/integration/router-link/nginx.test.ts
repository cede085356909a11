import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import {
  createAuthority,
  issueClientCertificate,
  issueServingCertificate,
  trustBundle,
} from '../../../operator/pki/pki.ts';
import type { DemandReport } from '../../../operator/router/protocol.ts';
import { RouterAdmin } from '../../../operator/router/router-admin.ts';
import { RouterFleet } from '../../../operator/router/router-fleet.ts';
import { model } from '../../support/route-table.ts';
import { startEngine } from '../router/support/engine.ts';
import { closeAfterTest, never, setUp, table } from './support/fixtures.ts';
import { startRealRouter } from './support/real-router.ts';

async function servedModels(url: string): Promise<string[]> {
  const response = await request(`${url}/v1/models`);
  const { data } = (await response.body.json()) as { data: { id: string }[] };
  return data.map(({ id }) => id);
}

describe('with nginx', () => {
  it('routes arrive, a newer table wins over a late one, and the response has its version', async () => {
    const { admin, authority } = await setUp();
    const router = await startRealRouter('a', trustBundle(authority));
    expect((await admin.demand(router.endpoint, { since: 0, waitMs: 0 }, never)).version).toBe(0);
    await admin.putRoutes(router.endpoint, table(9, 'mistral'), never);
    expect(await servedModels(router.url)).toEqual(['mistral']);
    await expect(admin.putRoutes(router.endpoint, table(8), never)).rejects.toMatchObject({
      code: 'Superseded',
      newerVersion: 9,
    });
    const broken = { ...table(10), models: [{}] } as unknown as ReturnType<typeof table>;
    await expect(admin.putRoutes(router.endpoint, broken, never)).rejects.toMatchObject({ code: 'Rejected' });
    expect(await servedModels(router.url)).toEqual(['mistral']);
  });

  it('only the operator is authorized', async () => {
    const { authority } = await setUp();
    const router = await startRealRouter('a', trustBundle(authority));
    const now = new Date();
    const strangers = [
      await issueClientCertificate(await createAuthority({ now }), { now }),
      // Signed by the right authority, but for a server.
      await issueServingCertificate(authority, { dnsNames: ['metrics'] }, { now }),
      // Expired.
      await issueClientCertificate(authority, { now: new Date(now.getTime() - 30 * 24 * 3_600_000) }),
    ];
    for (const certificate of strangers) {
      const admin = new RouterAdmin({ certificate: async () => certificate });
      closeAfterTest(() => admin.close());
      await expect(admin.putRoutes(router.endpoint, table(5), never)).rejects.toMatchObject({
        code: 'Unauthorized',
      });
    }
  });

  it('both authorities of a rollover are admitted', async () => {
    const { authority, client, admin } = await setUp();
    const next = await createAuthority({ now: new Date() });
    const router = await startRealRouter('a', trustBundle({ ...authority, next: next.current }));
    await admin.putRoutes(router.endpoint, table(5), never);
    client.certificate = await issueClientCertificate(next, { now: new Date() });
    await admin.putRoutes(router.endpoint, table(6), never);
  });

  it('the fleet brings routes back to a router that lost them, and knows a restarted container again', async () => {
    const { admin, authority } = await setUp();
    const router = await startRealRouter('a', trustBundle(authority));
    const codes: string[] = [];
    const fleet = new RouterFleet({
      admin,
      pollWaitMs: 50,
      listener: { onError: (_, error) => codes.push(error.code) },
    });
    closeAfterTest(() => fleet.close());
    fleet.setRouters([router.endpoint]);
    fleet.publish(table(5, 'mistral'));
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);

    await router.restart();
    expect(await servedModels(router.url)).toEqual(['mistral']);
    fleet.publish(table(6, 'llama'));
    await expect.poll(() => fleet.isConfirmed(6)).toBe(true);
    expect(codes).not.toContain('Untrusted');

    // A pod that lost its volume is another pod.
    await router.restart({ loseVolume: true });
    fleet.setRouters([{ ...router.endpoint, id: 'b' }]);
    await expect.poll(() => fleet.isConfirmed(6)).toBe(true);
    expect(await servedModels(router.url)).toEqual(['llama']);
  });

  it('a held request is known at once, and ends when the routes say that nothing will come', async () => {
    const { admin, authority } = await setUp();
    const router = await startRealRouter('a', trustBundle(authority));
    const reports: DemandReport[] = [];
    const fleet = new RouterFleet({
      admin,
      pollWaitMs: 30_000,
      listener: { onReport: (_, report) => reports.push(report) },
    });
    closeAfterTest(() => fleet.close());
    fleet.setRouters([router.endpoint]);
    fleet.publish(table(5));
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    await expect.poll(() => reports.length > 0, { message: 'it was asked once' }).toBe(true);
    const answer = request(`${router.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'llama', prompt: 'hello' }),
    });
    await expect
      .poll(() => reports.at(-1)?.models['uid-llama']?.held, { message: 'the hold is known' })
      .toBe(1);
    const unavailable = { reason: 'Test', message: 'no engine will come' };
    const [model] = table(6).models;
    fleet.publish({ ...table(6), models: model ? [{ ...model, unavailable }] : [] });
    const { statusCode, body } = await answer;
    await body.dump();
    expect(statusCode).toBe(503);
  });

  it('the fleet fetches what routers counted, once for each batch, and goes on without a router that does not answer', async () => {
    const { admin, authority } = await setUp();
    const [router, engine] = [await startRealRouter('a', trustBundle(authority)), await startEngine()];
    closeAfterTest(() => engine.close());
    const fleet = new RouterFleet({ admin, pollWaitMs: 50 });
    closeAfterTest(() => fleet.close());
    const gone = { ...router.endpoint, id: 'gone', address: '127.0.0.1:1' };
    fleet.setRouters([router.endpoint, gone]);
    fleet.publish({ ...table(5), models: [model('m', [engine.address])] });
    await expect.poll(async () => await servedModels(router.url)).toEqual(['m']);
    const { statusCode, body } = await request(`${router.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', prompt: 'hello' }),
    });
    await body.dump();
    expect(statusCode).toBe(200);
    const fetched = async (after: number) => await fleet.usage(() => after, never);
    await expect.poll(async () => (await fetched(0))[0]?.report.id).toBeGreaterThan(0);
    const [batch] = await fetched(0);
    expect(batch?.router).toBe(router.endpoint.id);
    expect(batch?.report.counts['uid-m']?.['team-a']?.[0]).toBe(1);
    const id = batch?.report.id ?? 0;
    expect(await fetched(id)).toEqual([{ router: router.endpoint.id, report: { id, counts: {} } }]);
  });
});
