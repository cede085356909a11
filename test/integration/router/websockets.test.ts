/** Websockets, which last as long as their client likes. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { RouteKey } from '../../../operator/router/route-table.ts';
import { model, table } from '../../support/route-table.ts';
import { perTest } from './support/per-test.ts';
import { loopbackAddress, type Router } from './support/router.ts';

const key = (name: string, more: Partial<RouteKey> = {}): RouteKey => ({
  sha256: createHash('sha256').update(name).digest('hex'),
  tenant: `team-${name}`,
  ...more,
});

describe('websockets', () => {
  const { start, keep } = perTest();
  /** The address of an engine that echoes. */
  const echo = async (): Promise<string> => {
    const server = createServer();
    server.on('upgrade', (_, socket) => {
      socket.on('error', () => undefined);
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
      socket.on('data', (data) => socket.write(data));
    });
    const host = loopbackAddress();
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    keep({ close: async () => void server.close() });
    return `${host}:${(server.address() as AddressInfo).port}`;
  };
  const open = async (router: Router, token?: string) => {
    const socket = connect({ host: router.address, port: 8080 });
    keep({ close: async () => void socket.destroy() });
    let [text, ended] = ['', false];
    socket.setEncoding('utf8').on('data', (data: string) => {
      text += data;
    });
    socket
      .on('error', () => undefined)
      .on('close', () => {
        ended = true;
      });
    const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
    socket.write(
      `GET /v1/realtime?model=m HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${authorization}\r\n`,
    );
    await expect.poll(() => text, { message: 'it is open' }).toMatch(/^HTTP\/1.1 101 /);
    return {
      ended: () => ended,
      hears: async (words: string) => {
        socket.write(words);
        await expect.poll(() => text.endsWith(words), { message: 'it is heard' }).toBe(true);
      },
    };
  };

  test('end with their API key, with its right to the model, and when a pool begins to ask for keys', async () => {
    const engine = await echo();
    const routes = (keys: RouteKey[] | undefined) =>
      table([model('m', [engine])], keys ? { auth: 'APIKey', keys } : {});
    const router = await start({ table: routes(undefined), readTimeout: '3600s' });
    const keyless = await open(router);
    await router.put(routes([key('gone'), key('less'), key('stays')]));
    await expect.poll(keyless.ended, { message: 'that without a key' }).toBe(true);

    const [gone, less, stays] = [
      await open(router, 'gone'),
      await open(router, 'less'),
      await open(router, 'stays'),
    ];
    await router.put(routes([key('less', { models: ['other'] }), key('stays', { requestsPerMinute: 1 })]));
    await expect.poll(gone.ended, { message: 'that of the key that is gone' }).toBe(true);
    await expect.poll(less.ended, { message: 'that of the key for other models' }).toBe(true);
    await stays.hears('words');
    expect(stays.ended()).toBe(false);
    await expect
      .poll(async () => (await router.demand()).models['uid-m']?.inFlight, { message: 'they hold nothing' })
      .toBe(1);
  });
});
