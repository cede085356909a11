/** Latency under load while Redis is well, silent, back and dead. Clients must see no error and little delay. */
import { performance } from 'node:perf_hooks';
import { Agent, request } from 'undici';
import { startEngine } from '../../integration/router/support/engine.ts';
import { startRedis } from '../../integration/router/support/redis.ts';
import { startRouter } from '../../integration/router/support/router.ts';
import { model, table } from '../../support/route-table.ts';

const CLIENTS = 32;
const PHASE_MS = 4000;

/** Prints errors and p99 of each phase. Every request is new to the cache, so each asks Redis three times. */
export async function measureRedisTrouble(signal: AbortSignal): Promise<void> {
  const [engine, redis] = [await startEngine(), await startRedis()];
  engine.answer = (_, response) => response.end('{}');
  const entry = model('m', [engine.address], {
    cache: { enabled: true, ttlSeconds: 60, policy: 'Deterministic' },
  });
  const router = await startRouter({ table: table([entry], { redis: redis.settings }) });
  const agent = new Agent({ connections: CLIENTS });
  let seed = 0;
  const phase = async (name: string) => {
    const latencies: number[] = [];
    let errors = 0;
    const end = performance.now() + PHASE_MS;
    const client = async () => {
      while (performance.now() < end) {
        signal.throwIfAborted();
        seed += 1;
        const start = performance.now();
        const { statusCode, body } = await request(`${router.url}/v1/chat/completions`, {
          method: 'POST',
          body: JSON.stringify({ model: 'm', seed }),
          dispatcher: agent,
        });
        await body.dump();
        if (statusCode !== 200) errors += 1;
        latencies.push(performance.now() - start);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    latencies.sort((a, b) => a - b);
    const p99 = latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN;
    console.log(`router_redis_${name}_errors ${errors} of ${latencies.length} requests`);
    console.log(`router_redis_${name}_p99 ${p99.toFixed(1)} ms`);
  };
  try {
    await phase('well');
    process.kill(redis.pid, 'SIGSTOP');
    await phase('silent');
    process.kill(redis.pid, 'SIGCONT');
    await phase('back');
    await redis.close();
    await phase('dead');
  } finally {
    await agent.destroy();
    await Promise.all([router.close(), engine.close(), redis.close()]);
  }
}
