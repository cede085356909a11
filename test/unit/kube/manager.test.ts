import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { LeaderElector } from '../../../operator/kube/elector.ts';
import { type Cache, Manager, type ManagerOptions, type Runnable } from '../../../operator/kube/manager.ts';
import { ProbeServer } from '../../../operator/kube/probes.ts';
import type { ReflectorStatus } from '../../../operator/kube/reflector.ts';
import { FakeClock, settle } from './support/fake-clock.ts';
import { LeaseServer, type Link } from './support/lease-server.ts';

function setUp({
  clock = new FakeClock(),
  ...options
}: Partial<ManagerOptions> & { clock?: FakeClock } = {}) {
  const log: string[] = [];
  const abort = new AbortController();
  const manager = new Manager({ exit: (code) => log.push(`exit ${code}`), clock, ...options });
  const runnable = (name: string, drainMs = 0): Runnable => ({
    name,
    async run(signal) {
      log.push(`${name} starts`);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await new Promise<void>((resolve) => clock.setTimeout(resolve, drainMs));
      log.push(`${name} ends`);
    },
  });
  const cache = (name: string) => {
    const synced = Promise.withResolvers<void>();
    const state: { status: ReflectorStatus } = { status: { synced: false } };
    const part: Cache = {
      ...runnable(name),
      waitForSync: (signal) =>
        Promise.race([
          synced.promise,
          new Promise<never>((_resolve, reject) =>
            signal?.addEventListener('abort', () => reject(signal.reason)),
          ),
        ]),
      status: () => state.status,
    };
    const sync = () => {
      state.status = { synced: true };
      synced.resolve();
    };
    return { part, sync, state };
  };
  const server = {
    name: 'http',
    start: async () => void log.push('http starts'),
    stop: async () => void log.push('http ends'),
  };
  return { manager, log, clock, abort, runnable, cache, server };
}

function election(clock: FakeClock) {
  const link: Link = { latencyMs: 1, cut: 'nothing' };
  const leases = new LeaseServer(clock);
  const elector = new LeaderElector({
    client: leases.client(link),
    namespace: 'ns',
    name: 'l',
    identity: 'me',
    clock,
    random: () => 0,
  });
  return { link, leases, elector };
}

describe('order', () => {
  test('servers, caches, the rest, leaders after the election; back in reverse, the lease given back after the leaders', async () => {
    const clock = new FakeClock();
    const { elector, leases } = election(clock);
    const { manager, log, abort, runnable, cache, server } = setUp({ elector, clock });
    const pods = cache('pods');
    manager.add(runnable('controller', 50), { leaderOnly: true });
    manager.add(runnable('metrics'));
    manager.addCache(pods.part);
    manager.addServer(server);
    const running = manager.run(abort.signal);
    await settle();
    expect(log).toEqual(['http starts', 'pods starts']);
    expect(() => manager.ready()).toThrow('pods: first list not complete');
    pods.sync();
    await settle();
    expect(() => manager.ready()).not.toThrow();
    expect([log.at(-1), manager.isLeader]).toEqual(['metrics starts', false]);
    await clock.advance(100);
    expect([log.at(-1), manager.isLeader]).toEqual(['controller starts', true]);
    abort.abort();
    await clock.advance(49);
    expect([log.at(-1), manager.isLeader]).toEqual(['controller starts', true]);
    await clock.advance(100);
    await running;
    expect(log.slice(4)).toEqual(['controller ends', 'metrics ends', 'pods ends', 'http ends']);
    expect(leases.lease).not.toHaveProperty('spec.holderIdentity');
  });

  test('without an elector, leader-only parts start at once', async () => {
    const { manager, log, abort, runnable, clock } = setUp();
    manager.add(runnable('controller'), { leaderOnly: true });
    const running = manager.run(abort.signal);
    await settle();
    expect([log, manager.isLeader]).toEqual([['controller starts'], true]);
    abort.abort();
    await clock.advance(1);
    await running;
  });

  test('a stop before the caches are complete is a stop', async () => {
    const { manager, log, abort, cache, clock, runnable } = setUp();
    manager.addCache(cache('pods').part);
    manager.add(runnable('late'));
    const running = manager.run(abort.signal);
    await settle();
    abort.abort(new Error('SIGTERM'));
    await clock.advance(1);
    await running;
    expect(log).toEqual(['pods starts', 'pods ends']);
  });
});

describe('failures', () => {
  test('a lost lease ends the process at once', async () => {
    const clock = new FakeClock();
    const { elector, link } = election(clock);
    const { manager, log, abort, runnable } = setUp({ elector, clock });
    manager.add(runnable('controller'), { leaderOnly: true });
    const running = expect(manager.run(abort.signal)).rejects.toThrow('leader election ended unexpectedly');
    await clock.advance(1_000);
    link.cut = 'requests';
    await clock.advance(11_000);
    expect(log.slice(0, 2)).toEqual(['controller starts', 'exit 1']);
    await clock.advance(1_000);
    await running;
  });

  test.each([
    ['fails', async () => Promise.reject(new Error('boom')), 'broken failed'],
    ['ends', async () => {}, 'broken ended unexpectedly'],
  ])('a part that %s stops all others, and is named', async (_case, run, message) => {
    const { manager, log, abort, runnable, clock, server } = setUp();
    manager.addServer(server);
    manager.add(runnable('other'));
    manager.add({ name: 'broken', run });
    const running = expect(manager.run(abort.signal)).rejects.toThrow(message);
    await clock.advance(1);
    await running;
    expect(log).toEqual(['http starts', 'other starts', 'other ends', 'http ends']);
  });

  test('a server that cannot start is an error, and what started is stopped', async () => {
    const { manager, log, abort, server } = setUp();
    manager.addServer(server);
    manager.addServer({ ...server, start: () => Promise.reject(new Error('port taken')) });
    await expect(manager.run(abort.signal)).rejects.toThrow('port taken');
    expect(log).toEqual(['http starts', 'http ends']);
  });

  test('a part that does not stop does not hold the process for ever', async () => {
    const { manager, abort, clock } = setUp({ stopTimeoutMs: 5_000 });
    manager.add({ name: 'stuck', run: () => new Promise(() => {}) });
    const running = expect(manager.run(abort.signal)).rejects.toThrow('did not stop within 5000 ms');
    await settle();
    abort.abort();
    await clock.advance(5_000);
    await running;
  });
});

test('readiness reports lost permissions, but not an unreachable API server', async () => {
  const { manager, cache } = setUp();
  const pods = cache('pods');
  manager.addCache(pods.part);
  pods.state.status = { synced: true, error: { code: 'ConnectionFailed', message: 'refused' } };
  expect(() => manager.ready()).not.toThrow();
  pods.state.status = { synced: true, error: { code: 'Forbidden', message: 'may not list pods' } };
  expect(() => manager.ready()).toThrow('pods: may not list pods');
});

test('probes answer for the kubelet and Prometheus', async () => {
  const registry = new Registry();
  let ready = false;
  const probes = new ProbeServer({
    port: 0,
    host: '127.0.0.1',
    registry,
    livez: { loop: () => {} },
    readyz: {
      caches: () => {
        if (!ready) throw new Error('pods missing');
      },
    },
  });
  await probes.start();
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${probes.port}${path}`, { method });
    return `${response.status} ${await response.text()}`;
  };
  expect(await get('/livez')).toBe('200 [+]loop ok\nok\n');
  expect(await get('/healthz')).toBe('200 [+]loop ok\nok\n');
  expect(await get('/readyz?verbose')).toBe('500 [-]caches failed: pods missing\nfailed\n');
  ready = true;
  expect(await get('/readyz')).toBe('200 [+]caches ok\nok\n');
  expect(await get('/metrics')).toMatch(/^200/);
  expect(await get('/other')).toMatch(/^404/);
  expect(await get('/livez', 'POST')).toMatch(/^405/);
  const second = new ProbeServer({ port: probes.port, host: '127.0.0.1' });
  await expect(second.start()).rejects.toThrow('EADDRINUSE');
  await probes.stop();
});
