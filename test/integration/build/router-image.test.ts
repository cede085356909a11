/** The router in its image's own file system, made with Debian's tools: what this machine has installed cannot hide what the image lacks. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { perTest } from '../router/support/per-test.ts';
import { startRedis } from '../router/support/redis.ts';

const root = join(import.meta.dirname, '../../..');
const run = promisify(execFile);

/** Builds the image's file system once for each version of the scripts that make it. */
async function routerRootfs(): Promise<string> {
  const hash = createHash('sha256');
  for (const file of ['install-router.sh', 'router-rootfs.sh']) {
    hash.update(readFileSync(join(root, 'hack/image', file)));
  }
  const directory = join(root, '.cache', `router-${hash.digest('hex').slice(0, 12)}`);
  if (!existsSync(directory)) await run(join(root, 'hack/image/router-rootfs.sh'), [directory]);
  return directory;
}

/** Names of nginx's modules that a process and its children have loaded. */
function loadedModules(pid: number): Set<string> {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean);
  const maps = [pid, ...children.map(Number)]
    .map((id) => readFileSync(`/proc/${id}/maps`, 'utf8'))
    .join('\n');
  return new Set([...maps.matchAll(/\/(\w+_module)\.so$/gm)].map((match) => match[1] as string));
}

describe('the router', () => {
  const { engine, start } = perTest();
  const cached = (address: string) => ({
    ...model('m', [address]),
    cache: { enabled: true, ttlSeconds: 60, policy: 'All' as const },
  });
  const ask = async (url: string) => {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', messages: [] }),
    });
    await response.arrayBuffer();
    return { status: response.status, cache: response.headers.get('x-cache') };
  };

  it.runIf(process.getuid?.() === 0)(
    'serves and caches from the file system of its image, read-only, as its user, without capabilities',
    { timeout: 300_000 },
    async () => {
      const rootfs = await routerRootfs();
      const redis = await startRedis();
      try {
        const upstream = await engine();
        const router = await start({
          rootfs,
          table: table([cached(upstream.address)], { redis: redis.settings }),
        });
        expect(await ask(router.url)).toMatchObject({ status: 200, cache: 'MISS' });
        await expect
          .poll(async () => (await ask(router.url)).cache, { message: 'the answer is stored' })
          .toBe('HIT');

        const status = readFileSync(`/proc/${router.pid}/status`, 'utf8');
        expect(status).toMatch(/^Uid:\s+65532\s+65532/m);
        expect(status).toMatch(/^CapBnd:\s+0+$/m);
        expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
        const modules = readdirSync(join(rootfs, 'usr/lib/nginx/modules'));
        expect(modules.sort()).toEqual(['ndk_http_module.so', 'ngx_http_lua_module.so']);
      } finally {
        await redis.close();
      }
    },
  );

  it('loads no module of nginx but the two that it uses, whatever is installed', async () => {
    const router = await start({ table: table([]) });
    expect(loadedModules(router.pid)).toEqual(new Set(['ndk_http_module', 'ngx_http_lua_module']));
  });

  it('does not start on a package of nginx with known security faults', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'old-nginx-'));
    try {
      writeFileSync(join(directory, 'dpkg-query'), '#!/bin/sh\nprintf %s 1.22.1-9+deb12u9\n');
      chmodSync(join(directory, 'dpkg-query'), 0o755);
      const starting = start({ env: { PATH: `${directory}:${process.env.PATH}` } });
      await expect(starting).rejects.toThrow(
        /nginx 1\.22\.1-9\+deb12u9 is older than 1\.22\.1-9\+deb12u11.*spec\.router\.image/,
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
