import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import type { RouteChange } from '../../../operator/router/route-change.ts';
import type { RouteModel, RouteTable } from '../../../operator/router/route-table.ts';
import { model, table } from '../../support/route-table.ts';
import { perTest } from './support/per-test.ts';
import type { Router } from './support/router.ts';
import { openStream } from './support/stream.ts';

/** PATCH /routes: what has changed since another table. */
describe('changes of the route table', () => {
  const { engine, start } = perTest();

  const patch = async (router: Router, body: RouteChange | string) => {
    const response = await request(`${router.adminUrl}/routes`, {
      method: 'PATCH',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      dispatcher: router.admin,
    });
    return { status: response.statusCode, body: (await response.body.json()) as { version?: number } };
  };
  const change = (
    { version }: Pick<RouteTable, 'version'>,
    models: RouteModel[],
    removed: string[] = [],
  ): RouteChange => ({ from: version, version: version + 1, models, removed });
  const names = async (router: Router): Promise<string[]> => {
    const { data } = (await (await fetch(`${router.url}/v1/models`)).json()) as { data: { id: string }[] };
    return data.map(({ id }) => id).sort();
  };
  const ask = async (router: Router, name: string) =>
    await fetch(`${router.url}/v1/completions`, { method: 'POST', body: JSON.stringify({ model: name }) });

  test('add, replace and remove models, and leave the others', async () => {
    const [one, two] = [await engine(), await engine()];
    const base = table([model('kept', [one.address]), model('moved', [one.address]), model('gone', [])]);
    const router = await start({ table: base });
    const next = change(
      base,
      [model('moved', [two.address], { servedNames: ['renamed'] }), model('new', [two.address])],
      ['uid-gone'],
    );
    expect(await patch(router, next)).toEqual({ status: 200, body: { version: next.version } });
    expect((await router.demand()).version).toBe(next.version);
    expect(await names(router)).toEqual(['kept', 'new', 'renamed']);
    expect(
      (await Promise.all(['gone', 'moved'].map((name) => ask(router, name)))).map((r) => r.status),
    ).toEqual([404, 404]);
    for (const name of ['kept', 'renamed', 'new']) expect((await ask(router, name)).status).toBe(200);
    expect([one.requests.length, two.requests.length]).toEqual([1, 2]);

    // A name that one model gives up and another takes in the same change.
    const swap = change(next, [
      model('new', [two.address], { servedNames: ['other'] }),
      model('moved', [one.address], { servedNames: ['new'] }),
    ]);
    expect((await patch(router, swap)).status).toBe(200);
    expect(await names(router)).toEqual(['kept', 'new', 'other']);
    expect((await ask(router, 'new')).status).toBe(200);
    expect(one.requests.length).toBe(2);
  });

  test('are rejected by a router with another table, with a different error than older ones', async () => {
    const base = table([model('a', [])]);
    const router = await start();
    // Without any table.
    expect((await patch(router, change({ version: 0 }, [model('b', [])]))).status).toBe(412);
    await router.put(base);
    const missed = change({ version: base.version + 5 }, [model('b', [])]);
    expect(await patch(router, missed)).toMatchObject({ status: 412, body: { version: base.version } });
    const late = { ...change(base, [model('b', [])]), from: base.version - 9, version: base.version - 8 };
    expect(await patch(router, late)).toMatchObject({ status: 409, body: { version: base.version } });
    for (const wrong of ['', '{', '{"from":1,"version":2}', JSON.stringify(change(base, [{} as RouteModel]))])
      expect((await patch(router, wrong)).status, wrong).toBe(400);
    expect(await names(router)).toEqual(['a']);
    // Twice the same, as after an answer that got lost.
    const next = change(base, [model('b', [])]);
    expect((await patch(router, next)).status).toBe(200);
    expect((await patch(router, next)).status).toBe(200);
    expect(await names(router)).toEqual(['a', 'b']);
  });

  test('are followed by a whole table when they have become longer than one', async () => {
    const base = table([model('a', [])]);
    const router = await start({ table: base, limits: { changesBytes: 2000 } });
    let last: Pick<RouteTable, 'version'> = base;
    let status = 200;
    let sent = 0;
    for (; status === 200 && sent < 50; sent += 1) {
      const next = change(last, [model(`m-${sent}`, [])]);
      ({ status } = await patch(router, next));
      if (status === 200) last = next;
    }
    expect(status).toBe(412);
    expect(sent).toBeGreaterThan(2);
    expect((await router.demand()).version).toBe(last.version);
    const whole = table([model('whole', [])]);
    expect((await router.put(whole)).status).toBe(200);
    expect((await patch(router, change(whole, [model('more', [])]))).status).toBe(200);
    expect(await names(router)).toEqual(['more', 'whole']);
  });

  test('outlive a crash of a worker and a restart, also one that cut the last off', async () => {
    const base = table([model('a', []), model('b', [])]);
    const router = await start({ workers: 1, table: base });
    const first = change(base, [model('c', [])], ['uid-a']);
    const second = change(first, [model('d', [])]);
    await patch(router, first);
    await patch(router, second);
    const master = Number((await readFile(join(router.directory, 'prefix/nginx.pid'), 'utf8')).trim());
    const worker = Number((await readFile(`/proc/${master}/task/${master}/children`, 'utf8')).trim());
    process.kill(worker, 'SIGKILL');
    await expect
      .poll(
        async () => {
          const listed = await names(router).catch(() => []);
          return listed.join() === 'b,c,d';
        },
        { message: 'another worker answers' },
      )
      .toBeTruthy();

    const changes = join(router.directory, 'prefix/routes.changes');
    const lines = await readFile(changes, 'utf8');
    await writeFile(changes, lines.slice(0, -20));
    const directory = join(router.directory, 'copy');
    const { cp } = await import('node:fs/promises');
    await cp(join(router.directory, 'prefix'), join(directory, 'prefix'), {
      recursive: true,
      filter: (file) => !/\.(sock|fifo)$/.test(file),
    });
    const again = await start({ directory });
    expect((await again.demand()).version).toBe(first.version);
    expect(await names(again)).toEqual(['b', 'c']);
    // What comes next is kept beside the rest of the cut line.
    const third = change(first, [model('e', [])]);
    expect((await patch(again, third)).status).toBe(200);
    await again.close();
    const last = await start({ directory });
    expect(await names(last)).toEqual(['b', 'c', 'e']);
    await last.close();
  });

  test('keep the counters of models while others are added and removed', async () => {
    const upstream = await engine();
    const base = table([model('busy', [upstream.address]), model('other', ['127.0.0.1:1'])]);
    const router = await start({ table: base });
    const stream = await openStream(router.url, { model: 'busy' });
    let last: Pick<RouteTable, 'version'> = base;
    for (const next of [
      () => change(last, [], ['uid-other']),
      () => change(last, [model('new', ['127.0.0.1:2'])]),
      // The busy one goes, others take free slots, and it comes back.
      () => change(last, [], ['uid-busy']),
      () => change(last, [model('x', ['127.0.0.1:3']), model('y', ['127.0.0.1:4'])]),
      () => change(last, [model('busy', [upstream.address])]),
    ]) {
      const sent = next();
      expect((await patch(router, sent)).status).toBe(200);
      last = sent;
    }
    expect((await router.demand()).models['uid-busy']?.inFlight).toBe(1);
    expect((await router.demand()).models['uid-x']).toBeUndefined();
    upstream.finish();
    expect(await stream.ended).toBe('complete');
    await expect
      .poll(async () => (await router.demand()).models['uid-busy']?.inFlight, { message: 'it is over' })
      .toBe(0);
  });
});
