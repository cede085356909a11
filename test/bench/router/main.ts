/**
 * What the router costs against plain nginx on the same machine in the same run, as lines `metric value unit`. `--against DIR` names
 * another checkout, with its node_modules, whose router is measured as well: what a change costs.
 */
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { chat } from './chat.ts';
import { PAIRS, printRate, printRatio } from './fresh-processes.ts';
import { measureHeld } from './held.ts';
import { onlyWorker } from './only-worker.ts';
import { startPlainNginx } from './plain-nginx.ts';
import { measureRedisTrouble } from './redis-trouble.ts';
import { measureStreams } from './streams.ts';
import { compareThroughput, type Target, type Throughput } from './throughput.ts';

const CASES = [
  { name: 'router_1KiB', body: chat('m', 1024, 0.7), warmUp: 60_000 },
  { name: 'router_64KiB', body: chat('m', 65_536, 0.7), warmUp: 15_000 },
  { name: 'router_cache_hit_1KiB', body: chat('cached', 1024, 0), warmUp: 60_000 },
];
const OWN = join(import.meta.dirname, '../../..');

/** Runs every measurement of the router, one after the other. */
export async function run(signal: AbortSignal, args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { against: { type: 'string' } } });
  const checkouts = [...(values.against === undefined ? [] : [resolve(values.against)]), OWN];
  const samples: Throughput[][][] = CASES.map(() => [[], ...checkouts.map(() => [])]);
  for (let pair = 0; pair < PAIRS; pair += 1) {
    for (const [i, results] of (await measureNewProcesses(checkouts, signal)).entries()) {
      for (const [k, result] of results.entries()) samples[i]?.[k]?.push(result);
    }
  }
  for (const [i, { name }] of CASES.entries()) {
    const [plain = [], ...routers] = samples[i] ?? [];
    const [before, ours = before ?? []] = routers;
    printRate(`${name}_plain`, plain);
    printRate(name, ours);
    printRatio(name, plain, ours, 'plain nginx');
    if (before === undefined || before === ours) continue;
    printRate(`${name}_against`, before);
    printRatio(`${name}_against`, before, ours, 'the other checkout');
  }
  await measureStreams(signal);
  await measureHeld(signal);
  await measureRedisTrouble(signal);
}

/** Results of each case: of plain nginx, and of the router of each checkout. */
async function measureNewProcesses(
  checkouts: readonly string[],
  signal: AbortSignal,
): Promise<Throughput[][]> {
  const directory = await mkdtemp(join(tmpdir(), 'router-bench-'));
  const plain = await startPlainNginx(directory);
  const closers = [plain.close];
  try {
    const targets: Target[] = [{ name: 'plain', url: plain.url, pid: plain.workerPid }];
    for (const checkout of checkouts) {
      const router = await startRouterOf(checkout, plain.engine);
      closers.push(router.close);
      targets.push(router.target);
    }
    const results: Throughput[][] = [];
    for (const { body, warmUp } of CASES) {
      results.push(await compareThroughput(targets, body, warmUp, signal));
    }
    return results;
  } finally {
    await Promise.all(closers.map(async (close) => await close()));
    await rm(directory, { recursive: true, force: true });
  }
}

/** Starts it by the checkout's own helpers: an older one knows other settings and route tables. */
async function startRouterOf(
  checkout: string,
  engine: string,
): Promise<{ target: Target; close: () => Promise<void> }> {
  const { startRedis }: typeof import('../../integration/router/support/redis.ts') = await importOf(
    checkout,
    'test/integration/router/support/redis.ts',
  );
  const { startRouter }: typeof import('../../integration/router/support/router.ts') = await importOf(
    checkout,
    'test/integration/router/support/router.ts',
  );
  const { model, table }: typeof import('../../support/route-table.ts') = await importOf(
    checkout,
    'test/support/route-table.ts',
    'test/integration/router/support/table.ts',
  );
  const redis = await startRedis();
  const wide = (name: string, enabled: boolean) => {
    const entry = model(name, [engine], { cache: { enabled, ttlSeconds: 600, policy: 'Deterministic' } });
    return { ...entry, endpoints: entry.endpoints.map((one) => ({ ...one, capacity: 1_000_000 })) };
  };
  const router = await startRouter({
    limits: { redisTimeoutMs: 1000 },
    workers: 1,
    table: table([wide('m', false), wide('cached', true)], {
      redis: redis.settings,
      loadBalancing: 'PrefixAffinity',
    }),
  });
  const pid = await onlyWorker(join(router.directory, 'prefix/nginx.pid'));
  return {
    target: { name: checkout, url: router.url, pid },
    close: async () => void (await Promise.all([router.close(), redis.close()])),
  };
}

/** The module of a checkout at the first of the paths that it has: files may have moved since. */
async function importOf<Module>(checkout: string, ...paths: readonly string[]): Promise<Module> {
  for (const path of paths) {
    const file = join(checkout, path);
    const exists = await access(file).then(
      () => true,
      () => false,
    );
    if (exists) return (await import(pathToFileURL(file).href)) as Module;
  }
  throw new Error(
    `${checkout} has no ${paths.join(' or ')}: name the checkout of a version of this repository`,
  );
}
