import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KubeError } from '../../../operator/kube/errors.ts';
import { CONFIG_MAPS, PODS } from '../../../operator/kube/resource-types.ts';
import { FakeClock, fastClock, NEVER_MS } from './support/fake-clock.ts';
import { configMap, MiniApi } from './support/mini-api.ts';

let api: MiniApi;
beforeEach(async () => {
  api = await MiniApi.start();
});
afterEach(() => api.close());

const throttled = (retryAfter: string) => ({
  status: 429,
  headers: { 'retry-after': retryAfter },
  body: '{"kind":"Status","reason":"TooManyRequests","message":"slow down"}',
});

describe('connections', () => {
  test('2,000 calls use no more sockets than the pool has', async () => {
    const transport = api.transport({ connections: 8 });
    const before = api.connections;
    for (let round = 0; round < 20; round++) {
      await Promise.all(
        Array.from({ length: 100 }, () => transport.request({ method: 'GET', path: '/api/v1/pods' })),
      );
    }
    expect(api.requests).toHaveLength(2_000);
    expect(api.connections - before).toBeLessThanOrEqual(8);
    await transport.close();
    await expect.poll(() => api.openSockets, { message: 'all sockets closed' }).toBe(0);
  });

  test('no request waits behind a watch', async () => {
    const client = api.client({ connections: 2 });
    const watch = client.watch(CONFIG_MAPS, { resourceVersion: '1' });
    const first = watch.next();
    await expect.poll(() => api.openWatches).toBe(1);
    await Promise.all(Array.from({ length: 50 }, () => client.list(PODS)));
    await client.create(CONFIG_MAPS, configMap('a'));
    expect((await first).value).toMatchObject({ type: 'ADDED' });
    await watch.return(undefined);
  });

  test('a stream that is left or aborted gives its socket back', async () => {
    const transport = api.transport();
    const client = api.client();
    const abort = new AbortController();
    const watching = (async () => {
      for await (const _event of client.watch(PODS, { signal: abort.signal })) {
        // nothing comes
      }
    })();
    await expect.poll(() => api.openWatches, { message: 'the watch is open' }).toBe(1);
    abort.abort(new Error('enough'));
    await expect(watching).rejects.toThrow('enough');
    await expect.poll(() => api.openWatches, { message: 'the watch is closed' }).toBe(0);
    api.store.put(CONFIG_MAPS, configMap('a'));
    for await (const event of client.watch(CONFIG_MAPS, { resourceVersion: '1' })) {
      expect(event.type).toBe('ADDED');
      break;
    }
    await expect.poll(() => api.openWatches, { message: 'the second watch is closed' }).toBe(0);
    await transport.close();
  });
});

describe('retries', () => {
  test('429 is tried again after the time that the server asks for, whatever the method', async () => {
    let refusals = 2;
    api.fault = () => (refusals-- > 0 ? throttled('7') : undefined);
    const waits: number[] = [];
    const clock = fastClock(1_000);
    const client = api.client({
      clock: {
        ...clock,
        setTimeout: (callback, ms) => {
          waits.push(ms);
          return clock.setTimeout(callback, ms);
        },
      },
      requestTimeoutMs: NEVER_MS,
    });
    await client.create(CONFIG_MAPS, configMap('a'));
    expect(waits).toEqual([NEVER_MS, 7_000, 7_000]);
    expect(api.store.list(CONFIG_MAPS)).toHaveLength(1);
  });

  test('a wait that does not fit the deadline is left to the caller', async () => {
    api.fault = () => throttled('40');
    const error = await api
      .client()
      .list(PODS)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(KubeError);
    expect(error).toMatchObject({
      code: 'Throttled',
      status: 429,
      retryAfterMs: 40_000,
      reason: 'TooManyRequests',
    });
    expect(api.requests).toHaveLength(1);
  });

  test.each([
    ['GET', { status: 503 }, 2],
    ['GET', { reset: true }, 2],
    ['apply', { reset: true }, 2],
    ['POST', { reset: true }, 1],
    ['POST', { status: 503 }, 1],
    ['POST', { status: 503, headers: { 'retry-after': '0' } }, 2],
    ['GET', { status: 500 }, 1],
  ] as const)('%s that meets %o is sent %i time(s)', async (method, fault, sent) => {
    let faults = 1;
    api.fault = () => (faults-- > 0 ? fault : undefined);
    const client = api.client({ clock: fastClock(100), requestTimeoutMs: NEVER_MS });
    const call =
      method === 'GET'
        ? client.list(CONFIG_MAPS)
        : method === 'apply'
          ? client.apply(CONFIG_MAPS, configMap('a'))
          : client.create(CONFIG_MAPS, configMap('a'));
    const outcome = await call.then(
      () => 'ok',
      () => 'failed',
    );
    expect(outcome).toBe(sent === 2 ? 'ok' : 'failed');
    expect(api.requests).toHaveLength(sent);
  });

  test('it stops after six attempts', async () => {
    api.fault = () => ({ status: 503 });
    await expect(
      api.client({ clock: fastClock(1_000) }).list(PODS, { timeoutMs: NEVER_MS }),
    ).rejects.toMatchObject({ code: 'Unavailable' });
    expect(api.requests).toHaveLength(6);
  });
});

describe('deadlines', () => {
  test('a server that never answers is given up', async () => {
    api.fault = () => ({ hang: true });
    await expect(
      api.client().get(PODS, { namespace: 'a', name: 'b' }, { timeoutMs: 30 }),
    ).rejects.toMatchObject({
      name: 'KubeError',
      code: 'Timeout',
      status: 0,
      message: 'GET /api/v1/namespaces/a/pods/b: no complete answer within 30 ms',
    });
  });

  test("the caller's reason comes back unchanged, also while waiting for a retry", async () => {
    api.fault = () => throttled('20');
    const abort = new AbortController();
    const call = api.client().list(PODS, { signal: abort.signal });
    await expect.poll(() => api.requests.length).toBe(1);
    const reason = new Error('shutting down');
    abort.abort(reason);
    await expect(call).rejects.toBe(reason);
  });

  test('a stream may last longer than the deadline for its head', async () => {
    const clock = new FakeClock();
    const client = api.client({ clock, requestTimeoutMs: 200 });
    const watch = client.watch(CONFIG_MAPS, { resourceVersion: '1' });
    const first = watch.next();
    await expect
      .poll(() => api.openWatches === 1 && clock.pending === 0, {
        message: 'the watch is open and its deadline lifted',
      })
      .toBeTruthy();
    await clock.advance(1_000);
    api.store.put(CONFIG_MAPS, configMap('late'));
    expect((await first).value).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'late' } } });
    await watch.return(undefined);
  });
});

describe('errors', () => {
  test('a server that is not there is ConnectionFailed and retryable', async () => {
    const transport = api.transport({ clock: fastClock(1_000), requestTimeoutMs: NEVER_MS });
    await api.close();
    const error = await transport.request({ method: 'POST', path: '/x' }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ConnectionFailed', retryable: true, status: 0 });
    api = await MiniApi.start();
  });

  test('the response of a proxy is truncated', async () => {
    api.fault = () => ({ status: 502, body: `<html>${'x'.repeat(10_000)}` });
    const error = await api
      .client()
      .create(PODS, configMap('a'))
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'Unavailable' });
    expect((error as Error).message.length).toBeLessThan(300);
  });

  test.each([
    [409, 'AlreadyExists', 'AlreadyExists'],
    [409, 'Conflict', 'Conflict'],
    [422, 'Invalid', 'Invalid'],
    [410, 'Gone', 'Expired'],
    [418, 'Teapot', 'Unknown'],
  ])('%i %s is %s', async (status, reason, code) => {
    api.fault = () => ({ status, body: JSON.stringify({ kind: 'Status', reason, message: 'no' }) });
    await expect(api.client().create(PODS, configMap('a'))).rejects.toMatchObject({ code, reason, status });
  });

  test('an answer that is not JSON is Malformed', async () => {
    api.fault = () => ({ status: 200, body: '<html>' });
    await expect(api.client().list(PODS)).rejects.toMatchObject({ code: 'Malformed' });
  });
});

test('requests are counted by code, method and host, and name the client', async () => {
  const registry = new Registry();
  const client = api.client({ registry, userAgent: 'operator/1' });
  await client.list(PODS);
  await client.get(PODS, { namespace: 'a', name: 'b' }).catch(() => {});
  const { values } = (await registry.getSingleMetric('rest_client_requests_total')?.get()) ?? { values: [] };
  const { host } = new URL(api.url);
  expect(values).toMatchObject([
    { labels: { code: '200', method: 'GET', host }, value: 1 },
    { labels: { code: '404', method: 'GET', host }, value: 1 },
  ]);
  expect(api.requests[0]?.headers['user-agent']).toBe('operator/1');
});
