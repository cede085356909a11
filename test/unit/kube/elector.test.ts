import fc from 'fast-check';
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { LeaderElector } from '../../../operator/kube/elector.ts';
import type { Lease } from '../../../operator/kube/lease.ts';
import { FakeClock } from './support/fake-clock.ts';
import { LeaseServer, type Link } from './support/lease-server.ts';

const clock = () => new FakeClock();

/** Two candidates on one server, whose wall clocks are `skewMs` apart. */
function pair({ skewMs = 0, latencyMs = 5, times = {} } = {}) {
  const time = clock();
  const server = new LeaseServer(time);
  const candidate = (identity: string, skew: number) => {
    const link: Link = { latencyMs, cut: 'nothing' };
    const registry = new Registry();
    const elector = new LeaderElector({
      client: server.client(link),
      namespace: 'ns',
      name: 'operator',
      identity,
      ...times,
      registry,
      random: () => 0.5,
      clock: {
        now: () => time.now() + skew,
        monotonic: () => time.monotonic(),
        setTimeout: (callback, ms) => time.setTimeout(callback, ms),
      },
    });
    const events: string[] = [];
    const abort = new AbortController();
    const start = () =>
      elector.run(abort.signal, {
        onElected: () => events.push(`elected at ${time.monotonic()}`),
        onLost: (reason) => events.push(`lost at ${time.monotonic()}: ${reason}`),
      });
    return { elector, link, events, abort, start, registry };
  };
  return { time, server, a: candidate('a', 0), b: candidate('b', skewMs) };
}

const spec = (server: LeaseServer) => (server.lease as Lease | undefined)?.spec;

test('the first leads and renews with six-digit times; the second waits', async () => {
  const { time, server, a, b } = pair();
  void a.start();
  await time.advance(1_000);
  void b.start();
  await time.advance(60_000);
  expect([a.elector.isLeader, b.elector.isLeader]).toEqual([true, false]);
  expect(spec(server)).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 });
  expect(spec(server)?.renewTime).toMatch(/^2026-01-01T00:01:00\.\d{6}Z$/);
  expect(spec(server)?.acquireTime).toMatch(/^2026-01-01T00:00:00\.\d{6}Z$/);
  expect(await a.registry.getSingleMetricAsString('leader_election_master_status')).toContain(
    '{name="operator"} 1',
  );
  expect(await b.registry.getSingleMetricAsString('leader_election_master_status')).toContain(
    '{name="operator"} 0',
  );
});

test('an ordered stop gives the lease back, and the next leads within its retry period', async () => {
  const { time, server, a, b } = pair();
  const running = a.start();
  await time.advance(100);
  void b.start();
  await time.advance(20_000);
  a.abort.abort();
  await time.advance(100);
  await running;
  expect(a.events).toEqual(['elected at 15']);
  expect(spec(server)?.holderIdentity).toBeUndefined();
  await time.advance(4_400);
  expect([b.elector.isLeader, spec(server)?.leaseTransitions]).toEqual([true, 1]);
});

test('also when the stop cuts a renewal short that has arrived', async () => {
  const { time, server, a } = pair();
  a.link.answerMs = 500;
  const running = a.start();
  await time.advance(10_000);
  const before = server.lease?.metadata.resourceVersion;
  while (server.lease?.metadata.resourceVersion === before) await time.advance(1);
  a.abort.abort();
  await time.advance(3_000);
  await running;
  expect(spec(server)?.holderIdentity).toBeUndefined();
});

describe.each([0, 3_600_000, -3_600_000])('with clocks %i ms apart', (skewMs) => {
  test('a leader that is cut off stops first, then the other takes over', async () => {
    const { time, a, b } = pair({ skewMs });
    void a.start();
    await time.advance(100);
    void b.start();
    await time.advance(10_000);
    a.link.cut = 'requests';
    const cutAt = time.monotonic();
    while (!b.elector.isLeader) {
      await time.advance(100);
      expect(a.elector.isLeader && b.elector.isLeader).toBe(false);
      expect(time.monotonic()).toBeLessThan(cutAt + 25_000);
    }
    expect(a.events[1]).toMatch(/^lost at \d+: not renewed within 10000 ms$/);
    expect(Number(/lost at (\d+)/.exec(a.events[1] ?? '')?.[1])).toBeLessThanOrEqual(cutAt + 10_000);
    expect(time.monotonic()).toBeGreaterThanOrEqual(cutAt + 10_000);
  });
});

test('an API that takes almost four seconds to answer does not cost the lease', async () => {
  const { time, a, b } = pair({ latencyMs: 1_900 });
  void a.start();
  await time.advance(30_000);
  void b.start();
  for (let step = 0; step < 600; step++) {
    await time.advance(500);
    expect([a.elector.isLeader, b.elector.isLeader]).toEqual([true, false]);
  }
});

test('a renewal that gets no answer is repeated in time to keep the lease', async () => {
  const { time, a } = pair();
  void a.start();
  await time.advance(10_000);
  a.link.cut = 'requests';
  await time.advance(2_500);
  a.link.cut = 'nothing';
  await time.advance(30_000);
  expect(a.events).toEqual(['elected at 15']);
});

test('a renewal counts from when it was sent: its answer may be late, and the other waits no longer for that', async () => {
  const { time, a, b } = pair({
    times: { leaseDurationMs: 15_000, renewDeadlineMs: 14_000, retryPeriodMs: 1_000 },
  });
  void a.start();
  await time.advance(1_000);
  void b.start();
  await time.advance(10_000);
  a.link.answerMs = 12_000;
  await time.advance(1_100);
  a.link.cut = 'requests';
  for (let step = 0; step < 200; step++) {
    await time.advance(100);
    expect(a.elector.isLeader && b.elector.isLeader, `both lead at ${time.monotonic()}`).toBe(false);
  }
  expect(b.elector.isLeader).toBe(true);
});

test.each([
  ['holds', 'thief', 'taken by thief'],
  ['held and gave back', undefined, 'taken by another process, which has released it'],
])('a lease that someone else %s is lost at once', async (_case, holderIdentity, reason) => {
  const { time, server, a } = pair();
  void a.start();
  await time.advance(5_000);
  const { metadata, ...lease } = server.lease as Lease;
  const spec = { ...lease.spec, holderIdentity };
  server.lease = { ...lease, metadata: { ...metadata, resourceVersion: '999' }, spec } as Lease;
  await time.advance(2_100);
  expect(a.events.at(-1)).toContain(reason);
  expect(a.elector.isLeader).toBe(false);
  expect(await a.registry.getSingleMetricAsString('leader_election_slowpath_total')).toContain(' 1');
});

test('a lease that was deleted is made again', async () => {
  const { time, server, a } = pair();
  void a.start();
  await time.advance(5_000);
  server.lease = undefined;
  await time.advance(5_000);
  expect([a.elector.isLeader, spec(server)?.holderIdentity]).toEqual([true, 'a']);
});

test('a process that was blocked does not think that it leads, even before its timers run', async () => {
  const { time, a } = pair();
  void a.start();
  await time.advance(5_000);
  expect(a.elector.isLeader).toBe(true);
  time.block(10_500);
  expect(a.elector.isLeader).toBe(false);
});

test('times that would let two lead are refused', () => {
  const { server } = pair();
  const make = (times: object) => () =>
    new LeaderElector({
      client: server.client({ latencyMs: 0, cut: 'nothing' }),
      namespace: 'n',
      name: 'l',
      identity: 'x',
      ...times,
    });
  expect(make({ renewDeadlineMs: 15_000 })).toThrow(RangeError);
  expect(make({ retryPeriodMs: 9_000 })).toThrow('leaseDuration > renewDeadline > retryPeriod');
});

test('whatever happens to the network, two never lead at once, and one does when it heals', async () => {
  const outage = fc.record({
    who: fc.constantFrom('a' as const, 'b' as const),
    cut: fc.constantFrom('nothing' as const, 'requests' as const, 'answers' as const),
    latencyMs: fc.constantFrom(0, 5, 900, 3_000),
    forMs: fc.integer({ min: 500, max: 20_000 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(outage, { maxLength: 12 }),
      fc.constantFrom(0, 90_000),
      async (outages, skewMs) => {
        const { time, a, b } = pair({ skewMs });
        const both = { a, b };
        /** A process that lost the lease exits and is started again with a new identity: here it just starts again. */
        const keepRunning = async ({ start, abort }: typeof a) => {
          while (!abort.signal.aborted) await start();
        };
        void keepRunning(a);
        void keepRunning(b);
        for (const { who, cut, latencyMs, forMs } of outages) {
          Object.assign(both[who].link, { cut, latencyMs });
          for (let passed = 0; passed < forMs; passed += 250) {
            await time.advance(250);
            expect(a.elector.isLeader && b.elector.isLeader, `both lead at ${time.monotonic()}`).toBe(false);
          }
        }
        Object.assign(a.link, { cut: 'nothing', latencyMs: 5 });
        Object.assign(b.link, { cut: 'nothing', latencyMs: 5 });
        await time.advance(60_000);
        expect(a.elector.isLeader !== b.elector.isLeader).toBe(true);
        a.abort.abort();
        b.abort.abort();
        await time.advance(30_000);
      },
    ),
    { numRuns: 40, interruptAfterTimeLimit: 10_000 },
  );
});
