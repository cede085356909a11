import { Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import { Controller, type ControllerOptions, type Reconcile } from '../../../operator/kube/controller.ts';
import { KubeError } from '../../../operator/kube/errors.ts';
import { ownerKeys } from '../../../operator/kube/owner-keys.ts';
import { Store } from '../../../operator/kube/store.ts';
import { FakeClock, settle } from './support/fake-clock.ts';
import { type ConfigMap, configMap } from './support/mini-api.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function start(reconcile: Reconcile, options: Partial<ControllerOptions> = {}) {
  const clock = new FakeClock();
  const registry = new Registry();
  const controller = new Controller({
    name: 'widget',
    reconcile,
    clock,
    registry,
    random: () => 0.999_999,
    ...options,
  });
  const abort = new AbortController();
  let running: Promise<void> | undefined;
  const run = () => {
    running = controller.run(abort.signal);
    return running;
  };
  stops.push(async () => {
    abort.abort();
    await clock.advance(60_000);
    await running;
  });
  const metric = async (name: string, labels: object = {}) =>
    (await registry.getSingleMetric(name)?.get())?.values.find((sample) =>
      Object.entries(labels).every(([label, value]) => sample.labels[label as 'controller'] === value),
    )?.value;
  const results = async (result: string) => metric('controller_runtime_reconcile_total', { result });
  return { clock, controller, abort, run, metric, results };
}

const failure = (code: 'Conflict' | 'Internal') => new KubeError({ code, request: 'GET /x', message: 'no' });

test('a watch that waits makes one reconcile of changes that come together, but not of what was there before', async () => {
  const seen: [string, number][] = [];
  const { clock, controller, run } = start(async (key) => void seen.push([key, clock.monotonic()]));
  const store = new Store<ConfigMap>();
  store.upsert(configMap('old'));
  controller.watch(store, { afterMs: 50 });
  void run();
  await clock.advance(1);
  expect(seen).toEqual([['default/old', 0]]);
  for (const version of ['2', '3', '4']) {
    store.upsert(configMap('new', { version }));
    await clock.advance(10);
  }
  await clock.advance(1_000);
  expect(seen.slice(1)).toEqual([['default/new', 51]]);
});

test('thousands of keys that need no request leave timers and sockets, such as those of the lease, their turn in between', async () => {
  let turns = 0;
  const turn = () => {
    turns += 1;
    if (seen.size < 1_000) setImmediate(turn);
  };
  const seen = new Map<string, number>();
  const { controller, run } = start(async (key) => void seen.set(key, turns));
  for (let i = 0; i < 1_000; i++) controller.enqueue(`default/${i}`);
  setImmediate(turn);
  void run();
  await expect.poll(() => seen.size).toBe(1_000);
  const inOneTurn = [...Map.groupBy(seen, ([, at]) => at).values()].map((keys) => keys.length);
  expect(Math.max(...inOneTurn)).toBeLessThan(10);
});

describe('results', () => {
  test('nothing: the key rests until something changes', async () => {
    const seen: string[] = [];
    const { clock, controller, run, results } = start(async (key) => void seen.push(key));
    void run();
    controller.enqueue('a');
    await clock.advance(1e9);
    expect(seen).toEqual(['a']);
    expect(await results('success')).toBe(1);
    expect(await results('error')).toBe(0);
  });

  test('requeueAfterMs: it runs again then', async () => {
    const at: number[] = [];
    const { clock, controller, run, results } = start(async () => {
      at.push(clock.monotonic());
      return { requeueAfterMs: 5_000 };
    });
    void run();
    controller.enqueue('a');
    await clock.advance(10_000);
    expect(at).toEqual([0, 5_000, 10_000]);
    expect(await results('requeue_after')).toBe(3);
  });

  test('an error: it is tried again, later each time, and a success ends the row', async () => {
    const at: number[] = [];
    const { clock, controller, run, results, metric } = start(async () => {
      at.push(Math.round(clock.monotonic()));
      if (at.length < 5) throw new Error('not yet');
    });
    void run();
    controller.enqueue('a');
    await clock.advance(1_000);
    expect(at).toEqual([0, 5, 15, 35, 75]);
    expect(await results('error')).toBe(4);
    expect(await metric('controller_runtime_reconcile_errors_total')).toBe(4);
    expect(await metric('controller_runtime_reconcile_panics_total')).toBe(0);
    controller.enqueue('a');
    at.splice(0, 5, 1, 2, 3);
    await clock.advance(6);
    expect(at.slice(3)).toHaveLength(2);
  });

  test('a conflict: tried again at once, and no error', async () => {
    const at: number[] = [];
    const { clock, controller, run, results } = start(async () => {
      at.push(Math.round(clock.monotonic()));
      if (at.length === 1) throw failure('Conflict');
    });
    void run();
    controller.enqueue('a');
    await clock.advance(100);
    expect(at).toEqual([0, 5]);
    expect([await results('requeue'), await results('error')]).toEqual([1, 0]);
  });

  test('the namespace of an object that is gone before the watch says so is no error', async () => {
    let calls = 0;
    const { clock, controller, run, results } = start(async () => {
      calls += 1;
      if (calls > 1) return;
      const details = { name: 'a', kind: 'namespaces' };
      throw new KubeError({
        code: 'NotFound',
        request: 'PATCH /x',
        message: 'namespaces "a" not found',
        details,
      });
    });
    void run();
    controller.enqueue('a/b');
    await clock.advance(100);
    expect([calls, await results('requeue'), await results('error')]).toEqual([2, 1, 0]);
  });

  test('a bug is counted as a panic, and other keys continue', async () => {
    const seen: string[] = [];
    const { clock, controller, run, metric } = start(async (key) => {
      if (key === 'bad') throw new TypeError('undefined is not a function');
      seen.push(key);
    });
    void run();
    controller.enqueue('bad');
    controller.enqueue('good');
    await clock.advance(1);
    expect(seen).toEqual(['good']);
    expect(await metric('controller_runtime_reconcile_panics_total')).toBe(1);
  });
});

describe('time', () => {
  test('a reconcile that takes too long has its signal aborted, and its key stays one', async () => {
    const reasons: unknown[] = [];
    let active = 0;
    const { clock, controller, run, metric } = start(
      async (_key, { signal }) => {
        expect(++active).toBe(1);
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        reasons.push(signal.reason);
        active--;
        throw signal.reason;
      },
      { timeoutMs: 30_000 },
    );
    void run();
    controller.enqueue('a');
    await clock.advance(1);
    controller.enqueue('a');
    await clock.advance(30_000);
    expect(reasons).toMatchObject([
      { code: 'RECONCILE_TIMEOUT', message: 'reconcile of a did not end within 30000 ms' },
    ]);
    expect(await metric('controller_runtime_reconcile_timeouts_total')).toBe(1);
    expect(await metric('controller_runtime_active_workers')).toBe(1);
  });

  test('a key waits until the cache shows its own writes', async () => {
    let ready = false;
    let runs = 0;
    const { clock, controller, run, metric } = start(async () => void runs++, { ready: () => ready });
    void run();
    controller.enqueue('a');
    await clock.advance(250);
    expect([runs, await metric('controller_runtime_stale_cache_skips_total')]).toEqual([0, 3]);
    ready = true;
    await clock.advance(100);
    expect(runs).toBe(1);
  });

  test('no more than `concurrency` keys run at once', async () => {
    let active = 0;
    let most = 0;
    const { clock, controller, run } = start(
      async () => {
        most = Math.max(most, ++active);
        await new Promise<void>((resolve) => clock.setTimeout(resolve, 10));
        active--;
      },
      { concurrency: 3 },
    );
    void run();
    for (let index = 0; index < 20; index++) controller.enqueue(`k${index}`);
    await clock.advance(200);
    expect([most, active]).toEqual([3, 0]);
  });
});

describe('a stop', () => {
  test('lets running reconciles end and starts no new ones', async () => {
    const done: string[] = [];
    const { clock, controller, run, abort } = start(
      async (key) => {
        await new Promise<void>((resolve) => clock.setTimeout(resolve, 1_000));
        done.push(key);
      },
      { concurrency: 2 },
    );
    const running = run();
    for (const key of ['a', 'b', 'c']) controller.enqueue(key);
    await clock.advance(500);
    abort.abort();
    await clock.advance(500);
    await running;
    expect(done).toEqual(['a', 'b']);
  });

  test('aborts those that outlast the drain time', async () => {
    const { clock, controller, run, abort, results } = start(
      (_key, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      { drainMs: 5_000, timeoutMs: 60_000 },
    );
    const running = run();
    controller.enqueue('a');
    await clock.advance(1);
    abort.abort(new Error('stopping'));
    await clock.advance(5_000);
    await running;
    expect(await results('error')).toBe(0);
  });
});

describe('watching a store', () => {
  const object = (name: string, version: number, extra: object = {}): ConfigMap =>
    configMap(name, {}, { uid: name, resourceVersion: String(version), ...extra });

  test('wakes what the old and the new state concern; a first list waits behind live changes', async () => {
    const seen: string[] = [];
    const { clock, controller, run } = start(async (key) => void seen.push(key), { concurrency: 1 });
    const store = new Store<ConfigMap>();
    store.replace([object('x', 1), object('y', 2)], '2');
    controller.watch(store, { map: (item) => [item.metadata.labels?.pool ?? item.metadata.name] });
    controller.enqueue('live');
    void run();
    await expect.poll(() => seen).toEqual(['live', 'x', 'y']);
    store.upsert(object('x', 3, { labels: { pool: 'p1' } }));
    await clock.advance(0);
    store.upsert(object('x', 4, { labels: { pool: 'p2' } }));
    await clock.advance(0);
    store.remove(object('x', 5, { labels: { pool: 'p2' } }));
    await clock.advance(0);
    expect(seen.slice(3)).toEqual(['x', 'p1', 'p1', 'p2', 'p2']);
  });

  test('an irrelevant update enqueues nothing, a deletion always does', async () => {
    const seen: string[] = [];
    const { controller, run } = start(async (key) => void seen.push(key));
    const store = new Store<ConfigMap>();
    controller.watch(store, { changed: (old, now) => old.metadata.generation !== now.metadata.generation });
    void run();
    store.upsert(object('a', 1));
    await settle();
    store.upsert(object('a', 2));
    await settle();
    expect(seen).toEqual(['default/a']);
    store.remove(object('a', 3));
    await settle();
    expect(seen).toEqual(['default/a', 'default/a']);
  });

  test('a child concerns its controller owner of the right kind', () => {
    const owned = (kind: string, controller: boolean, namespace?: string) =>
      ownerKeys('Widget')({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: {
          name: 'c',
          ...(namespace ? { namespace } : {}),
          ownerReferences: [{ apiVersion: 'x/v1', kind, name: 'w', uid: '1', controller }],
        },
      });
    expect(owned('Widget', true, 'ns')).toEqual(['ns/w']);
    expect(owned('Widget', true)).toEqual(['w']);
    expect(owned('Widget', false, 'ns')).toEqual([]);
    expect(owned('Gadget', true, 'ns')).toEqual([]);
  });
});
