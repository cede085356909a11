/**
 * `node hack/release/npm-package.ts DIRECTORY`: the package that `npx vllm-operator` installs. It is the bundle of `npm run build`,
 * so it has no dependencies to install.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = join(import.meta.dirname, '../..');
const directory = process.argv[2];
if (directory === undefined) {
  console.error('usage: node hack/release/npm-package.ts DIRECTORY');
  process.exit(2);
}

const target = resolve(directory);
mkdirSync(target, { recursive: true });
const { status } = spawnSync(
  process.execPath,
  [join(root, 'hack/build.ts'), '--outdir', join(target, 'dist')],
  {
    stdio: 'inherit',
  },
);
if (status !== 0) process.exit(status ?? 1);

const { name, version, description, license, type, engines, repository, keywords } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
) as Record<string, unknown>;
const manifest = {
  name,
  version,
  description,
  license,
  type,
  engines,
  repository,
  keywords,
  bin: { 'vllm-operator': 'dist/vllm-operator.mjs' },
  files: ['dist'],
};
writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md'])
  copyFileSync(join(root, file), join(target, file));
