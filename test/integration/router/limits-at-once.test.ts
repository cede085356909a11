import { connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { limitedKey } from './support/limited.ts';
import { perTest } from './support/per-test.ts';
import { type Redis, startRedis } from './support/redis.ts';
import { loopbackAddress } from './support/router.ts';

const { engine, start, keep } = perTest();

/** A way to Redis on which the first command that counts arrives after the answer to the second one. */
async function outOfOrder(redis: Redis): Promise<{ host: string; port: number }> {
  const host = loopbackAddress();
  const sockets = new Set<Socket>();
  let counted = 0;
  let release: (() => void) | undefined;
  const server = createServer((client) => {
    const server = connect(redis.settings.port, redis.settings.host);
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    let second = false;
    client.on('data', (data) => {
      if (data.includes('incrby')) {
        counted += 1;
        if (counted === 1) {
          release = () => server.write(data);
          return;
        }
        second = counted === 2;
      }
      server.write(data);
    });
    server.on('data', (data) => {
      client.write(data);
      if (second) release?.();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  keep({
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  return { host, port: (server.address() as { port: number }).port };
}

test('of two requests that come at the same moment one is let in where the limit has room for one', async () => {
  const redis = keep(await startRedis());
  const upstream = await engine();
  const minute = () => Math.floor(Date.now() / 60_000);
  let began: number;
  let statuses: number[];
  do {
    began = minute();
    const { tokensPerMinute: _, ...key } = limitedKey(0);
    const router = await start({
      workers: 1,
      table: table([model('m', [upstream.address])], {
        auth: 'APIKey',
        keys: [{ ...key, requestsPerMinute: 1 }],
        redis: { ...redis.settings, ...(await outOfOrder(redis)) },
      }),
    });
    await redis.command('FLUSHALL');
    const ask = async () => {
      const answer = await fetch(`${router.url}/v1/completions`, {
        method: 'POST',
        headers: { authorization: 'Bearer k' },
        body: '{"model":"m"}',
      });
      return answer.status;
    };
    statuses = await Promise.all([ask(), ask()]);
  } while (minute() !== began);
  expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 429]);
});
