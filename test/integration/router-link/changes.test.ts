import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { trustBundle } from '../../../operator/pki/pki.ts';
import type { RouteModel, RouteTable } from '../../../operator/router/route-table.ts';
import { RouterFleet } from '../../../operator/router/router-fleet.ts';
import type { FakeRouter } from './support/fake-router.ts';
import { closeAfterTest, setUp, table } from './support/fixtures.ts';
import { startRealRouter } from './support/real-router.ts';

/** Models by name, the same objects in every table that has them. */
const models = new Map<string, RouteModel>();

function tableOf(version: number, ...names: string[]): RouteTable {
  const entries = names.map((name) => {
    const known = models.get(name) ?? table(0, name).models[0];
    if (!known) throw new Error('a table has a model');
    models.set(name, known);
    return known;
  });
  return { ...table(version), models: entries };
}

function sends(router: FakeRouter): string[] {
  return router.requests.filter((line) => line.endsWith('/routes'));
}

function listed(router: FakeRouter): string[] | undefined {
  return router.applied.at(-1)?.models.map(({ name }) => name);
}

async function served(url: string): Promise<string[]> {
  const response = await request(`${url}/v1/models`);
  const { data } = (await response.body.json()) as { data: { id: string }[] };
  return data.map(({ id }) => id).sort();
}

async function setUpFleet(pollWaitMs = 20) {
  const parts = await setUp();
  const fleet = new RouterFleet({ admin: parts.admin, pollWaitMs });
  closeAfterTest(() => fleet.close());
  return { ...parts, fleet };
}

describe('changes of routes', () => {
  it('are all that is sent to a router that runs the table before', async () => {
    const { fleet, startRouter } = await setUpFleet();
    const router = await startRouter('a');
    fleet.setRouters([router.endpoint]);
    for (const next of [
      tableOf(5, 'a', 'b', 'c', 'd'),
      tableOf(6, 'a', 'b', 'c', 'd', 'e'),
      tableOf(7, 'a', 'b', 'd', 'e'),
    ]) {
      fleet.publish(next);
      await expect.poll(() => fleet.isConfirmed(next.version)).toBe(true);
    }
    expect(sends(router)).toEqual(['PUT /routes', 'PATCH /routes', 'PATCH /routes']);
    expect(listed(router)).toEqual(['a', 'b', 'd', 'e']);
  });

  it('give way to the whole table when something else changes', async () => {
    const { fleet, startRouter } = await setUpFleet();
    const router = await startRouter('a');
    fleet.setRouters([router.endpoint]);
    fleet.publish(tableOf(5, 'a', 'b', 'c'));
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    fleet.publish({ ...tableOf(6, 'a', 'b', 'c'), loadBalancing: 'PrefixAffinity' });
    await expect.poll(() => fleet.isConfirmed(6)).toBe(true);
    expect(sends(router)).toEqual(['PUT /routes', 'PUT /routes']);
  });

  it('give way to the whole table at a router that missed one, or knows of no changes', async () => {
    const { fleet, startRouter } = await setUpFleet(30_000);
    const [restarted, old] = [await startRouter('restarted'), await startRouter('old')];
    fleet.setRouters([restarted.endpoint, old.endpoint]);
    fleet.publish(tableOf(5, 'a', 'b', 'c'));
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    await restarted.stop();
    await restarted.start();
    old.intercept = (incoming, response) => {
      if (incoming.method !== 'PATCH') return false;
      response.writeHead(405, { 'content-type': 'application/json' }).end('{"error":{"message":"no"}}');
      return true;
    };
    fleet.publish(tableOf(6, 'a', 'b', 'c', 'd'));
    await expect.poll(() => fleet.isConfirmed(6)).toBe(true);
    for (const router of [restarted, old]) expect(listed(router)).toEqual(['a', 'b', 'c', 'd']);
    expect(sends(old)).toEqual(['PUT /routes', 'PATCH /routes', 'PUT /routes']);
  });

  it('with a lost response are recognized as applied, or sent again', async () => {
    const { fleet, startRouter } = await setUpFleet();
    const router = await startRouter('a');
    fleet.setRouters([router.endpoint]);
    fleet.publish(tableOf(5, 'a', 'b', 'c'));
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    // Applied, but the connection breaks before the answer.
    let broken = 0;
    router.intercept = async (incoming, response) => {
      if (incoming.method !== 'PATCH' || broken > 0) return false;
      broken += 1;
      router.applied.push(tableOf(6, 'a', 'b', 'c', 'd'));
      response.destroy();
      return true;
    };
    fleet.publish(tableOf(6, 'a', 'b', 'c', 'd'));
    await expect.poll(() => fleet.isConfirmed(6)).toBe(true);
    fleet.publish(tableOf(7, 'a', 'b', 'c', 'd', 'e'));
    await expect.poll(() => fleet.isConfirmed(7)).toBe(true);
    expect(listed(router)).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('bring two routers with nginx that run different versions to the same table', async () => {
    const { fleet, authority } = await setUpFleet();
    const bundle = trustBundle(authority);
    const [a, b] = await Promise.all([startRealRouter('a', bundle), startRealRouter('b', bundle)]);
    fleet.setRouters([a.endpoint]);
    fleet.publish(tableOf(5, 'a', 'b', 'c', 'd'));
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    fleet.publish(tableOf(6, 'a', 'b', 'c', 'd', 'e'));
    await expect.poll(() => fleet.isConfirmed(6)).toBe(true);
    fleet.setRouters([a.endpoint, b.endpoint]);
    fleet.publish(tableOf(7, 'a', 'b', 'd', 'e'));
    await expect.poll(() => fleet.isConfirmed(7)).toBe(true);
    for (const { url } of [a, b]) expect(await served(url)).toEqual(['a', 'b', 'd', 'e']);

    // One is restarted with what it kept, the other with nothing.
    await Promise.all([a.restart(), b.restart({ loseVolume: true })]);
    fleet.setRouters([a.endpoint, { ...b.endpoint, id: 'c' }]);
    expect(await served(a.url)).toEqual(['a', 'b', 'd', 'e']);
    fleet.publish(tableOf(8, 'a', 'd', 'e', 'f'));
    await expect.poll(() => fleet.isConfirmed(8)).toBe(true);
    for (const { url } of [a, b]) expect(await served(url)).toEqual(['a', 'd', 'e', 'f']);
  });
});
