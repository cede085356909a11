/** How to run the simulator with the least memory: bundled to plain JavaScript, because stripping types costs 20 MB each. */
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const ROOT = fileURLToPath(new URL('.', import.meta.url));
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/vllm-sim/', import.meta.url));

/** Keeps one engine small; its live heap is a few MB and one thread of V8's pool is plenty. */
const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=1', '--v8-pool-size=1', '--no-warnings'];

/**
 * Command and first arguments that run one engine; `serve <model> …` follows. Builds the bundle when the sources
 * changed, and keeps it under node_modules/.cache.
 */
export function simCommand(): string[] {
  const hash = createHash('sha256');
  for (const path of globSync('**/*.ts', { cwd: ROOT }).sort()) {
    hash.update(path).update(readFileSync(join(ROOT, path)));
  }
  const bundle = join(CACHE, `${hash.digest('hex').slice(0, 16)}.mjs`);
  if (!existsSync(bundle)) {
    mkdirSync(CACHE, { recursive: true });
    const partial = `${bundle}.${process.pid}`;
    buildSync({
      entryPoints: [join(ROOT, 'main.ts')],
      outfile: partial,
      bundle: true,
      platform: 'node',
      format: 'esm',
      external: ['yaml'],
      logLevel: 'error',
    });
    renameSync(partial, bundle);
  }
  return [process.execPath, ...NODE_FLAGS, bundle];
}
