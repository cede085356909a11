/**
 * `npm run build`: the operator as one file that needs Node and nothing else, for the container image.
 * `-- --outdir <directory>` writes elsewhere than to dist/. The directory's parent needs the package.json, for the version.
 */
import { cpSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({ options: { outdir: { type: 'string', default: join(root, 'dist') } } });
const outdir = resolve(values.outdir);
const outfile = join(outdir, 'vllm-operator.mjs');

rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: [join(root, 'operator/main.ts')],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  // Some of the packages are CommonJS and require Node's own modules, which an ES module has no `require` for.
  banner: {
    js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);",
  },
  // Licences of what is bundled go with it.
  legalComments: 'linked',
  logLevel: 'warning',
});
// The routers' files stay files: they are read from beside the bundle (operator/router/router-files.ts).
cpSync(join(root, 'operator/router/nginx'), join(outdir, 'nginx'), { recursive: true });
console.log(`written: ${outfile}`);
