import { expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { limitedKey } from './support/limited.ts';
import { perTest } from './support/per-test.ts';
import { type Redis, startRedis } from './support/redis.ts';
import { type RedisProxy, startRedisProxy } from './support/redis-proxy.ts';

const { engine, start, keep } = perTest();

/** A way to Redis on which the first command that counts arrives after the answer to the second one. */
async function outOfOrder(redis: Redis): Promise<RedisProxy> {
  let counted = 0;
  let release: (() => void) | undefined;
  return await startRedisProxy(redis, (client, server) => {
    let second = false;
    return {
      fromClient: (data) => {
        const counts = data.includes('incrby');
        if (counts) counted += 1;
        if (counts && counted === 1) {
          release = () => server.write(data);
          return;
        }
        second = counts && counted === 2;
        server.write(data);
      },
      fromRedis: (data) => {
        client.write(data);
        if (second) release?.();
      },
    };
  });
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
        redis: keep(await outOfOrder(redis)).settings,
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
