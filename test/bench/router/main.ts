/** What the router costs against plain nginx on the same machine in the same run, as lines `metric value unit`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis } from '../../integration/router/support/redis.ts';
import { startRouter } from '../../integration/router/support/router.ts';
import { engineAt, model, table } from '../../support/route-table.ts';
import { chat } from './chat.ts';
import { measureHeld } from './held.ts';
import { onlyWorker } from './only-worker.ts';
import { startPlainNginx } from './plain-nginx.ts';
import { measureRedisTrouble } from './redis-trouble.ts';
import { measureStreams } from './streams.ts';
import { compareThroughput } from './throughput.ts';

/** Runs every measurement of the router, one after the other. */
export async function run(signal: AbortSignal): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'router-bench-'));
  const plain = await startPlainNginx(directory);
  const redis = await startRedis();
  const engines = [plain.engine];
  const wide = (name: string, cached: boolean) => ({
    ...model(name, engines),
    endpoints: engines.map((address) => engineAt(address, 1_000_000)),
    cache: { enabled: cached, ttlSeconds: 600, policy: 'Deterministic' as const },
  });
  const router = await startRouter({
    limits: { redisTimeoutMs: 25 },
    workers: 1,
    table: table([wide('m', false), wide('cached', true)], {
      redis: redis.settings,
      loadBalancing: 'PrefixAffinity',
    }),
  });
  try {
    const routerWorker = await onlyWorker(join(router.directory, 'prefix/nginx.pid'));
    const plainTarget = { name: 'plain', url: plain.url, pid: plain.workerPid };
    const target = { name: 'router', url: router.url, pid: routerWorker };
    for (const [label, bytes] of [
      ['1KiB', 1024],
      ['64KiB', 65_536],
    ] as const) {
      const [base, ours] = await compareThroughput(
        [
          { ...plainTarget, body: chat('m', bytes, 0.7) },
          { ...target, body: chat('m', bytes, 0.7) },
        ],
        signal,
      );
      report(`router_${label}`, base, ours);
    }
    const [base, hits] = await compareThroughput(
      [
        { ...plainTarget, body: chat('cached', 1024, 0) },
        { ...target, body: chat('cached', 1024, 0) },
      ],
      signal,
    );
    report('router_cache_hit_1KiB', base, hits);
  } finally {
    await Promise.all([router.close(), plain.close(), redis.close()]);
    await rm(directory, { recursive: true, force: true });
  }
  await measureStreams(signal);
  await measureHeld(signal);
  await measureRedisTrouble(signal);
}

interface Rate {
  perSecond: number;
  cpuMicros: number;
}

function report(name: string, base: Rate | undefined, ours: Rate | undefined): void {
  if (!base || !ours) throw new Error(`${name}: nothing measured`);
  console.log(`${name}_plain ${Math.round(base.perSecond)} 1/s`);
  console.log(`${name} ${Math.round(ours.perSecond)} 1/s`);
  console.log(`${name}_ratio ${(ours.perSecond / base.perSecond).toFixed(2)} of plain nginx`);
  console.log(`${name}_plain_cpu ${base.cpuMicros.toFixed(1)} us/request`);
  console.log(`${name}_cpu ${ours.cpuMicros.toFixed(1)} us/request`);
}
