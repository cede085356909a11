import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../operator/kube/clock.ts';
import type { DemandReport } from '../../../operator/router/protocol.ts';
import {
  type FleetListener,
  RouterFleet,
  type RouterFleetOptions,
} from '../../../operator/router/router-fleet.ts';
import type { FakeRouter } from './support/fake-router.ts';
import { closeAfterTest, setUp, table } from './support/fixtures.ts';

async function setUpFleet(options: Partial<RouterFleetOptions> = {}) {
  const { admin, startRouter } = await setUp();
  const events: string[] = [];
  const reports: DemandReport[] = [];
  const listener: FleetListener = {
    onReport: (endpoint, report) => {
      events.push(`report ${endpoint.id}`);
      reports.push(report);
    },
  };
  const fleet = new RouterFleet({ admin, listener, ...options });
  closeAfterTest(() => fleet.close());
  return { admin, fleet, startRouter, events, reports };
}
const errorOf = (fleet: RouterFleet, id: string) =>
  fleet.status().find(({ endpoint }) => endpoint.id === id)?.error?.code;
const names = (router: FakeRouter) => router.applied.map(({ models }) => models[0]?.name);

describe('routes', () => {
  it('go to every router, and at once to one that comes later', async () => {
    const { fleet, startRouter } = await setUpFleet();
    const [a, b, c] = [await startRouter('a'), await startRouter('b'), await startRouter('c')];
    fleet.setRouters([a.endpoint, b.endpoint]);
    fleet.publish(table(5));
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    expect([a.version, b.version]).toEqual([5, 5]);
    fleet.setRouters([a.endpoint, b.endpoint, c.endpoint]);
    expect(fleet.isConfirmed(5)).toBe(false);
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    expect(c.applied).toEqual([table(5)]);
    expect(fleet.status().map(({ endpoint, version, error }) => [endpoint.id, version, error])).toEqual([
      ['a', 5, undefined],
      ['b', 5, undefined],
      ['c', 5, undefined],
    ]);
  });

  it('skip what was overtaken while a router was busy, and end with the newest', async () => {
    const { fleet, startRouter } = await setUpFleet();
    const router = await startRouter('a');
    let release = () => {};
    const busy = new Promise<void>((resolve) => {
      release = resolve;
    });
    router.intercept = async (request) => {
      if (request.method === 'PUT') await busy;
      return false;
    };
    fleet.setRouters([router.endpoint]);
    fleet.publish(table(1));
    await expect
      .poll(() => router.requests.includes('PUT /routes'), { message: 'the first push arrived' })
      .toBeTruthy();
    for (let version = 2; version <= 50; version += 1) fleet.publish(table(version));
    release();
    await expect.poll(() => fleet.isConfirmed(50)).toBe(true);
    expect(router.applied.map(({ version }) => version)).toEqual([1, 50]);
  });

  it('are sent once for the same table', async () => {
    const { fleet, startRouter } = await setUpFleet({ pollWaitMs: 5 });
    const router = await startRouter('a');
    fleet.setRouters([router.endpoint]);
    const same = table(5);
    fleet.publish(same);
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    fleet.publish(same);
    fleet.setRouters([router.endpoint]);
    const polls = router.requests.length;
    await expect.poll(() => router.requests.length > polls + 5, { message: 'some more polls' }).toBe(true);
    expect(router.requests.filter((request) => request === 'PUT /routes')).toHaveLength(1);
  });

  it('reach a router that was down, and do not wait for it elsewhere', async () => {
    const { fleet, startRouter } = await setUpFleet();
    const [up, down] = [await startRouter('up'), await startRouter('down')];
    await down.stop();
    fleet.setRouters([down.endpoint, up.endpoint]);
    fleet.publish(table(5));
    await expect.poll(() => up.version, { message: 'the other has it' }).toBe(5);
    await expect
      .poll(() => fleet.status()[0]?.error?.code, { message: 'the failure is told' })
      .toBe('Unreachable');
    expect(fleet.isConfirmed(5)).toBe(false);
    await down.start();
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    expect(down.version).toBe(5);
    await expect
      .poll(() => fleet.status()[0]?.error, { message: 'the failure is forgotten' })
      .toBe(undefined);
  });

  it('are sent again to a router that lost them', async () => {
    const { fleet, startRouter } = await setUpFleet({ pollWaitMs: 20 });
    const router = await startRouter('a');
    fleet.setRouters([router.endpoint]);
    fleet.publish(table(5, 'mistral'));
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    await router.stop();
    await router.start();
    await expect
      .poll(() => names(router).includes('mistral'), { message: 'it has the routes again' })
      .toBeTruthy();
  });

  it('replace those of a former leader whose clock was ahead', async () => {
    const { fleet, startRouter } = await setUpFleet();
    const router = await startRouter('a');
    router.applied = [table(1000, 'old')];
    fleet.setRouters([router.endpoint]);
    fleet.publish(table(5, 'new'));
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    expect(names(router)).toEqual(['old', 'new']);
    fleet.publish(table(6, 'newer'));
    await expect.poll(() => fleet.isConfirmed(6)).toBe(true);
    expect(names(router).at(-1)).toBe('newer');
  });

  it('are not waited for in a router that is neither ready nor heard of for a minute', async () => {
    let offset = 0;
    const clock = { ...systemClock, monotonic: () => performance.now() + offset };
    const { fleet, startRouter } = await setUpFleet({ clock, pollWaitMs: 20 });
    const [up, down] = [await startRouter('up'), await startRouter('down')];
    await down.stop();
    fleet.setRouters([up.endpoint, { ...down.endpoint, ready: false }]);
    fleet.publish(table(5));
    await expect.poll(() => up.version, { message: 'the other has it' }).toBe(5);
    await expect.poll(() => errorOf(fleet, 'down')).toBe('Unreachable');
    expect(fleet.isConfirmed(5)).toBe(false);
    offset = 61_000;
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    expect(fleet.present().map(({ id }) => id)).toEqual(['up']);
    // The kubelet reaches it: it has clients of its own.
    fleet.setRouters([up.endpoint, down.endpoint]);
    expect(fleet.isConfirmed(5)).toBe(false);
    expect(fleet.present().map(({ id }) => id)).toEqual(['up', 'down']);
    await down.start();
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    expect(down.version).toBe(5);
  });

  it('yield to a new leader for the length of a lease', async () => {
    const timers: { ms: number; callback: () => void }[] = [];
    const clock = {
      now: () => Date.now(),
      monotonic: () => performance.now(),
      setTimeout: (callback: () => void, ms: number) => {
        // Only the polls' pause passes by itself.
        const timer = ms <= 10 ? setTimeout(callback, ms) : undefined;
        const entry = { ms, callback };
        timers.push(entry);
        return () => {
          clearTimeout(timer);
          timers.splice(timers.indexOf(entry), 1);
        };
      },
    };
    const { fleet, startRouter } = await setUpFleet({ clock, pollWaitMs: 5 });
    const router = await startRouter('a');
    fleet.setRouters([router.endpoint]);
    fleet.publish(table(5, 'ours'));
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    router.applied.push(table(9, 'theirs'));
    await expect
      .poll(() => timers.some(({ ms }) => ms === 15_000), { message: 'we saw that and gave way' })
      .toBeTruthy();
    expect(fleet.status()[0]).toMatchObject({ version: undefined, error: { code: 'Superseded' } });
    expect(names(router).at(-1)).toBe('theirs');
    for (const { callback } of timers.filter(({ ms }) => ms === 15_000)) callback();
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    expect(names(router)).toEqual(['ours', 'theirs', 'ours']);
  });

  it('are not waited for when there is no router', async () => {
    const { fleet, startRouter } = await setUpFleet();
    expect(fleet.isConfirmed(5)).toBe(true);
    const router = await startRouter('a');
    await router.stop();
    fleet.setRouters([router.endpoint]);
    expect(fleet.isConfirmed(5)).toBe(false);
    fleet.setRouters([]);
    expect(fleet.isConfirmed(5)).toBe(true);
  });
});

describe('demand', () => {
  it('comes from every router, and at once when a request is held', async () => {
    const { fleet, startRouter, reports, events } = await setUpFleet({ pollWaitMs: 60_000 });
    const [a, b] = [await startRouter('a'), await startRouter('b')];
    fleet.setRouters([a.endpoint, b.endpoint]);
    await expect
      .poll(() => events.includes('report a') && events.includes('report b'), { message: 'both were asked' })
      .toBeTruthy();
    await expect
      .poll(() => a.requests.length === 2 && b.requests.length === 2, { message: 'both are asked again' })
      .toBeTruthy();
    b.hold('uid-llama');
    await expect
      .poll(() => reports.some(({ models }) => models['uid-llama']?.held === 1), {
        message: 'the hold is known',
      })
      .toBeTruthy();
    expect(a.requests).toHaveLength(2);
  });

  it('is unknown while a router does not answer, and known again after', async () => {
    const { fleet, startRouter, events } = await setUpFleet({ pollWaitMs: 20 });
    const router = await startRouter('a');
    fleet.setRouters([router.endpoint]);
    await expect.poll(() => events.includes('report a'), { message: 'it answers' }).toBeTruthy();
    await router.stop();
    await expect.poll(() => errorOf(fleet, 'a')).toBe('Unreachable');
    events.length = 0;
    await router.start();
    await expect.poll(() => events.includes('report a'), { message: 'it answers again' }).toBeTruthy();
    expect(fleet.status()[0]?.lastAnswerMs).toBeGreaterThan(0);
  });

  it('of a removed router is dropped, and the router is no longer polled', async () => {
    const { fleet, startRouter, events } = await setUpFleet({ pollWaitMs: 5 });
    const [a, b] = [await startRouter('a'), await startRouter('b')];
    fleet.setRouters([a.endpoint, b.endpoint]);
    await expect
      .poll(() => events.includes('report a') && events.includes('report b'), { message: 'both were asked' })
      .toBeTruthy();
    fleet.setRouters([b.endpoint]);
    events.length = 0;
    await expect
      .poll(() => events.filter((event) => event === 'report b').length > 10, {
        message: 'the other is asked on',
      })
      .toBe(true);
    expect(events).not.toContain('report a');
    expect(fleet.status().map(({ endpoint }) => endpoint.id)).toEqual(['b']);
  });

  it('continues after a listener has thrown', async () => {
    let failures = 0;
    const { admin, startRouter } = await setUp();
    const clock = {
      now: () => Date.now(),
      monotonic: () => performance.now(),
      setTimeout: (callback: () => void, ms: number) => {
        const timer = setTimeout(callback, Math.min(ms, 10));
        return () => clearTimeout(timer);
      },
    };
    const reported: number[] = [];
    const onReport = (_: unknown, { seq }: DemandReport) => {
      failures += 1;
      if (failures === 1) throw new Error('a bug');
      reported.push(seq);
    };
    const fleet = new RouterFleet({ admin, listener: { onReport }, clock, pollWaitMs: 5 });
    closeAfterTest(() => fleet.close());
    const router = await startRouter('a');
    fleet.setRouters([router.endpoint]);
    fleet.publish(table(5));
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    await expect.poll(() => reported.length > 3, { message: 'later reports arrive' }).toBe(true);
  });
});

describe('close', () => {
  it('aborts all requests, reports nothing more, and leaves the tables of the routers', async () => {
    const { admin, fleet, startRouter, events } = await setUpFleet({ pollWaitMs: 60_000 });
    const router = await startRouter('a');
    fleet.setRouters([router.endpoint]);
    fleet.publish(table(5));
    await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
    await fleet.close();
    expect(router.version).toBe(5);
    const reports = events.length;
    router.hold('uid-llama');
    fleet.setRouters([router.endpoint]);
    fleet.publish(table(6));
    // What another fleet does takes longer than a request of the closed one would.
    const other = new RouterFleet({ admin });
    closeAfterTest(() => other.close());
    other.setRouters([router.endpoint]);
    other.publish(table(7));
    await expect.poll(() => other.isConfirmed(7)).toBe(true);
    expect(router.applied.map(({ version }) => version)).toEqual([5, 7]);
    expect(events).toHaveLength(reports);
  });
});
