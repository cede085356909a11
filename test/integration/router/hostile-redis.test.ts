import { createServer, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { perTest } from './support/per-test.ts';
import { startRedis } from './support/redis.ts';
import { startRedisProxy } from './support/redis-proxy.ts';
import { loopbackAddress } from './support/router.ts';

const CHUNK = Buffer.alloc(65_536, 120);
const MOST = 32 * 1024 * 1024;

describe('a Redis that is broken or hostile', () => {
  const { engine, start, keep } = perTest();

  /** A server that answers the login, and every other command with what never ends. Returns how much of it was read. */
  const endless = async (begin: string, send: (socket: Socket) => void) => {
    const host = loopbackAddress();
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
      socket.on('data', (data) => {
        if (data.includes('auth')) {
          socket.write('+OK\r\n');
          return;
        }
        socket.write(begin);
        send(socket);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const { port } = server.address() as { port: number };
    keep({
      close: async () => {
        for (const socket of sockets) socket.destroy();
        server.close();
      },
    });
    return { redis: { host, port, username: 'router', password: 'secret' }, sockets };
  };
  const ask = async (redis: { host: string; port: number; username: string; password: string }) => {
    const upstream = await engine();
    const entry = model('m', [upstream.address], {
      cache: { enabled: true, ttlSeconds: 60, policy: 'All' },
    });
    const router = await start({ workers: 1, table: table([entry], { redis }) });
    const answer = await fetch(`${router.url}/v1/completions`, {
      method: 'POST',
      body: '{"model":"m","prompt":"a"}',
    });
    await answer.text();
    return { answer, router };
  };

  test('is not read line by line for longer than its replies may be', async () => {
    let sent = 0;
    const next = (socket: Socket) => {
      if (socket.destroyed || sent === 200) return;
      sent += 1;
      socket.write('*16\r\n', () => setTimeout(next, 20, socket));
    };
    const { redis, sockets } = await endless('*16\r\n', next);
    const { answer } = await ask(redis);
    expect([answer.status, answer.headers.get('x-cache')]).toEqual([200, 'BYPASS']);
    await expect.poll(() => sockets.size, { message: 'the router closed its connections' }).toBe(0);
    expect(sent).toBeLessThan(200);
  });

  test.each(['$', '+', 'x', '*1\r\n'])(
    'is not read without end when its reply begins with %j',
    async (begin) => {
      let sent = 0;
      const flood = (socket: Socket) => {
        while (sent < MOST && !socket.destroyed && socket.write(CHUNK)) sent += CHUNK.length;
        if (sent < MOST && !socket.destroyed) socket.once('drain', () => flood(socket));
      };
      const { redis, sockets } = await endless(begin, flood);
      const { answer } = await ask(redis);
      expect([answer.status, answer.headers.get('x-cache')]).toEqual([200, 'BYPASS']);
      await expect.poll(() => sockets.size, { message: 'the router closed its connections' }).toBe(0);
      expect(sent).toBeLessThan(MOST);
    },
  );

  test.each(['+', '$60000\r\n'])(
    'does not keep a client waiting when it goes on slowly after %j',
    async (begin) => {
      const drip = (socket: Socket) => {
        if (!socket.destroyed) socket.write('$', () => setTimeout(drip, 5, socket));
      };
      const { redis, sockets } = await endless(begin, drip);
      const { answer } = await ask(redis);
      expect([answer.status, answer.headers.get('x-cache')]).toEqual([200, 'BYPASS']);
      await expect.poll(() => sockets.size, { message: 'the router closed its connections' }).toBe(0);
    },
  );

  test.each([1, 7, 1000])(
    'is read all the same when its replies come in pieces of %i bytes',
    async (size) => {
      const redis = keep(await startRedis());
      const proxy = await startRedisProxy(redis, (client, server) => {
        const replies: Buffer[] = [];
        const send = () => {
          const reply = replies[0];
          if (!reply) return;
          client.write(reply.subarray(0, size), () => {
            if (reply.length > size) replies[0] = reply.subarray(size);
            else replies.shift();
            setImmediate(send);
          });
        };
        return {
          fromClient: (data) => void server.write(data),
          fromRedis: (data) => {
            if (replies.push(data) === 1) send();
          },
        };
      });
      const upstream = await engine();
      upstream.answer = (_, response) =>
        response.end(JSON.stringify({ text: '\r\n$5\r\n'.repeat(50), size }));
      const entry = model('m', [upstream.address], {
        cache: { enabled: true, ttlSeconds: 60, policy: 'All' },
      });
      const router = await start({
        workers: 1,
        table: table([entry], { redis: keep(proxy).settings }),
        limits: { redisTimeoutMs: 10_000 },
      });
      const complete = async () => {
        const answer = await fetch(`${router.url}/v1/completions`, { method: 'POST', body: '{"model":"m"}' });
        return { result: answer.headers.get('x-cache'), text: await answer.text() };
      };
      const first = await complete();
      expect(first.result).toBe('MISS');
      await expect.poll(complete, { message: 'it is read' }).toEqual({ ...first, result: 'HIT' });
      expect(upstream.requests.length).toBeLessThan(5);
    },
  );
});
