import fc from 'fast-check';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Clock } from '../../../operator/kube/clock.ts';
import { keyOf } from '../../../operator/kube/key.ts';
import { type Logger, silentLogger } from '../../../operator/kube/logger.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { Reflector, type ReflectorOptions, type ReflectorTiming } from '../../../operator/kube/reflector.ts';
import { CONFIG_MAPS } from '../../../operator/kube/resource-types.ts';
import { fastClock } from './support/fake-clock.ts';
import { type ConfigMap, configMap, MiniApi } from './support/mini-api.ts';

const QUICK: Partial<ReflectorTiming> = { backoffMs: 1, backoffCapMs: 4 };

let api: MiniApi;
let abort: AbortController;
let runs: Promise<void>[];
beforeEach(async () => {
  api = await MiniApi.start();
  abort = new AbortController();
  runs = [];
});
afterEach(async () => {
  abort.abort(new Error('test over'));
  await Promise.all(runs);
  await api.close();
});

function start(options: Partial<ReflectorOptions<ConfigMap>> = {}): Reflector<ConfigMap> {
  const reflector = new Reflector<ConfigMap>({
    client: api.client(),
    type: CONFIG_MAPS,
    timing: QUICK,
    ...options,
  });
  runs.push(reflector.run(abort.signal));
  return reflector;
}

const lists = () => api.requests.filter(({ query }) => !query.has('watch')).length;
const watches = () => api.requests.filter(({ query }) => query.has('watch'));

function caughtUp(reflector: Reflector<ConfigMap>): boolean {
  const state = (objects: KubeObject[]) =>
    objects.map((item) => `${keyOf(item)} ${item.metadata.uid} ${item.metadata.resourceVersion}`).sort();
  return JSON.stringify(state(reflector.store.list())) === JSON.stringify(state(api.store.list(CONFIG_MAPS)));
}

test('lists, then follows from there, and asks for what the protocol needs', async () => {
  api.store.put(
    CONFIG_MAPS,
    configMap(
      'a',
      {},
      {
        managedFields: [{ manager: 'x' }],
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', kept: 'y' },
      },
    ),
  );
  const reflector = start({ labelSelector: 'app=x', random: () => 0.5 });
  await reflector.waitForSync();
  api.store.put(CONFIG_MAPS, configMap('b'));
  await expect.poll(() => reflector.store.size).toBe(2);
  const { metadata } = reflector.store.get('default/a') ?? configMap('none');
  expect([metadata.managedFields, metadata.annotations]).toEqual([undefined, { kept: 'y' }]);
  expect(Object.fromEntries(watches()[0]?.query ?? [])).toEqual({
    watch: '1',
    allowWatchBookmarks: 'true',
    resourceVersion: '101',
    timeoutSeconds: '450',
    labelSelector: 'app=x',
  });
});

test('a bookmark advances the resource version of the next watch', async () => {
  const reflector = start();
  await expect.poll(() => api.openWatches).toBe(1);
  api.store.version = 5_000;
  api.bookmark(CONFIG_MAPS);
  await expect.poll(() => reflector.store.resourceVersion).toBe('5000');
  api.dropWatches('end');
  await expect.poll(() => api.openWatches).toBe(1);
  expect(watches().at(-1)?.query.get('resourceVersion')).toBe('5000');
  expect(lists()).toBe(1);
});

describe('failures', () => {
  test('a version that has expired leads to a new list', async () => {
    api.store.put(CONFIG_MAPS, configMap('a'));
    const registry = new Registry();
    const reflector = start({ registry });
    await expect.poll(() => api.openWatches).toBe(1);
    api.fault = ({ query }) =>
      query.has('watch') && query.get('resourceVersion') === '101' ? { status: 410 } : undefined;
    api.dropWatches('reset');
    api.store.remove(CONFIG_MAPS, 'default/a');
    api.store.put(CONFIG_MAPS, configMap('b'));
    await expect.poll(() => caughtUp(reflector) && api.openWatches === 1).toBeTruthy();
    expect(lists()).toBe(2);
    expect(await registry.getSingleMetricAsString('reflector_lists_total')).toContain(
      '{resource="configmaps",cause="expired"} 1',
    );
  });

  test('a half-open watch is given up by the watchdog', async () => {
    const reflector = start({
      clock: fastClock(1_000),
      timing: { ...QUICK, watchMs: 60_000, watchdogMs: 10_000 },
    });
    let silent = 1;
    api.fault = ({ query }) =>
      query.has('watch') && silent-- > 0 ? { lines: [], ending: 'hang' } : undefined;
    await expect.poll(() => api.openWatches, { message: 'a second watch' }).toBe(1);
    api.store.put(CONFIG_MAPS, configMap('a'));
    await expect.poll(() => caughtUp(reflector)).toBeTruthy();
  });

  test('a garbage line costs a new watch, no event', async () => {
    const reflector = start();
    await expect.poll(() => api.openWatches).toBe(1);
    api.sendLine('{"type":"ADDED","obj');
    api.store.put(CONFIG_MAPS, configMap('a'));
    await expect.poll(() => caughtUp(reflector) && watches().length === 2).toBeTruthy();
    expect(lists()).toBe(1);
  });

  test('an impossible object is skipped, logged once, and does not block others', async () => {
    const unnamed = { ...configMap('x'), metadata: { resourceVersion: '1' } } as ConfigMap;
    const errors: string[] = [];
    const log = { ...silentLogger, error: (_: object, text: string) => errors.push(text) };
    const logger = { ...log, child: () => logger } as unknown as Logger;
    const list = {
      kind: 'ConfigMapList',
      apiVersion: 'v1',
      metadata: { resourceVersion: '100' },
      items: [unnamed],
    };
    api.fault = ({ query }) => (query.has('watch') ? undefined : { status: 200, body: JSON.stringify(list) });
    const reflector = start({ log: logger });
    await expect.poll(() => api.openWatches).toBe(1);
    expect(reflector.store.size).toBe(0);
    for (const object of [unnamed, { ...unnamed, metadata: null }, { ...unnamed, metadata: { name: 'x' } }])
      api.sendLine(JSON.stringify({ type: 'ADDED', object }));
    api.store.put(CONFIG_MAPS, configMap('a'));
    await expect.poll(() => reflector.store.size).toBe(1);
    expect([lists(), watches().length]).toEqual([1, 1]);
    expect(errors).toEqual(['skipped an object without name or uid']);
  });

  test('a forbidden type is retried forever, and its status has the error until it works', async () => {
    let allowed = false;
    api.fault = () =>
      allowed
        ? undefined
        : { status: 403, body: '{"kind":"Status","reason":"Forbidden","message":"may not list"}' };
    const reflector = start();
    await expect.poll(() => lists() > 3).toBe(true);
    expect(reflector.status()).toMatchObject({
      synced: false,
      error: { code: 'Forbidden', message: expect.stringContaining('may not list') },
    });
    allowed = true;
    await reflector.waitForSync();
    await expect.poll(() => api.openWatches).toBe(1);
    expect(reflector.status()).toEqual({ synced: true });
  });

  test('a watch that is throttled waits as long as the server asks', async () => {
    const { clock, waits } = notingClock(1_000);
    let refusals = 1;
    api.fault = ({ query }) =>
      query.has('watch') && refusals-- > 0 ? { status: 429, headers: { 'retry-after': '9' } } : undefined;
    start({
      clock,
    });
    await expect.poll(() => api.openWatches).toBe(1);
    expect(waits).toContain(9_000);
  });

  test('a server that ends every watch at once is not asked in a hurry', async () => {
    const { clock, waits } = notingClock(10_000);
    api.fault = ({ query }) =>
      query.has('watch')
        ? { lines: ['{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"500"}}}'], ending: 'end' }
        : undefined;
    start({
      clock,
      timing: { healthyMs: 1e9 },
      random: () => 0,
    });
    await expect.poll(() => watches().length >= 9).toBe(true);
    const backoff = waits.filter((ms) => ms <= 30_000);
    expect(backoff.slice(0, 8)).toEqual([800, 1_600, 3_200, 6_400, 12_800, 15_000, 15_000, 15_000]);
  });

  test('waiting for a first list ends with the signal', async () => {
    api.fault = () => ({ status: 500 });
    const reflector = start();
    const reason = new Error('stop');
    const stop = new AbortController();
    const waiting = reflector.waitForSync(stop.signal);
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });
});

/** A clock that notes the waits it is asked for. */
function notingClock(factor: number): { clock: Clock; waits: number[] } {
  const waits: number[] = [];
  const clock = fastClock(factor);
  const setTimeout: Clock['setTimeout'] = (callback, ms) => {
    waits.push(ms);
    return clock.setTimeout(callback, ms);
  };
  return { clock: { ...clock, setTimeout }, waits };
}

/** What can happen to a collection and to the watch on it. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('put' as const),
      name: fc.constantFrom('a', 'b', 'c'),
      value: fc.nat(3),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('remove' as const), name: fc.constantFrom('a', 'b', 'c') }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('recreate' as const), name: fc.constantFrom('a', 'b', 'c') }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'end' as const,
        'reset' as const,
        'compact' as const,
        'bookmark' as const,
        'repeat' as const,
        'garbage' as const,
        'refuse' as const,
      ),
    }),
  },
);

test('whatever happens, the store ends up equal to the server, and its handlers saw it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.boolean(), async (steps, byEvent) => {
      const own = await MiniApi.start();
      own.expireByEvent = byEvent;
      const stop = new AbortController();
      const reflector = new Reflector<ConfigMap>({
        client: own.client(),
        type: CONFIG_MAPS,
        timing: { backoffMs: 0.1, backoffCapMs: 1 },
        freeze: true,
      });
      const mirror = new Map<string, ConfigMap>();
      reflector.store.subscribe(({ key, old, new: now }) => {
        expect(mirror.get(key)).toBe(old);
        expect(old?.metadata.uid ?? now?.metadata.uid).toBe(now?.metadata.uid ?? old?.metadata.uid);
        if (now) {
          mirror.set(key, now);
        } else {
          mirror.delete(key);
        }
      });
      const running = reflector.run(stop.signal);
      let refusals = 0;
      own.fault = () => (refusals-- > 0 ? { status: 429, headers: { 'retry-after': '0' } } : undefined);
      let last = '';
      own.store.onEvent = ((publish) => (event) => {
        last = JSON.stringify({ type: event.type, object: event.object });
        publish(event);
      })(own.store.onEvent);
      for (const action of steps) {
        switch (action.do) {
          case 'put':
            own.store.put(CONFIG_MAPS, configMap(action.name, { value: String(action.value) }));
            break;
          case 'remove':
            own.store.remove(CONFIG_MAPS, `default/${action.name}`);
            break;
          case 'recreate':
            own.store.remove(CONFIG_MAPS, `default/${action.name}`);
            own.store.put(CONFIG_MAPS, configMap(action.name, { value: 'again' }));
            break;
          case 'end':
          case 'reset':
            own.dropWatches(action.do);
            break;
          case 'compact':
            own.store.compact();
            own.dropWatches('reset');
            break;
          case 'bookmark':
            own.bookmark(CONFIG_MAPS);
            break;
          case 'repeat':
            if (last) own.sendLine(last);
            break;
          case 'garbage':
            own.sendLine('}{');
            break;
          case 'refuse':
            refusals = 2;
            break;
          case 'settle':
            await expect.poll(() => own.openWatches).toBe(1);
        }
      }
      const state = (objects: KubeObject[]) =>
        objects.map((item) => `${keyOf(item)} ${item.metadata.uid} ${item.metadata.resourceVersion}`).sort();
      const server = JSON.stringify(state(own.store.list(CONFIG_MAPS)));
      await expect
        .poll(() => JSON.stringify(state(reflector.store.list())), { message: `store equal to ${server}` })
        .toBe(server);
      expect([...mirror.keys()].sort()).toEqual(reflector.store.keys().sort());
      stop.abort();
      await running;
      await own.close();
    }),
    { numRuns: 150, interruptAfterTimeLimit: 12_000 },
  );
});
