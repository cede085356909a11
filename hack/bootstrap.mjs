// Entry of the npm scripts: plain JavaScript, so that any node from 20 runs it before anything is installed.
// Installs npm packages and, as root, Debian's nginx and redis; then runs the named script with the project's own Node 24.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [script, ...args] = process.argv.slice(2);

/** True when node_modules holds what package-lock.json asks for. */
function packagesInstalled() {
  const lock = join(root, 'package-lock.json');
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed) || !existsSync(join(root, 'node_modules', '.bin', 'node'))) return false;
  const want = JSON.parse(readFileSync(lock, 'utf8')).packages;
  const have = JSON.parse(readFileSync(installed, 'utf8')).packages;
  return Object.entries(want).every(
    ([path, entry]) => path === '' || entry.optional || have[path]?.version === entry.version,
  );
}

function run(command, argv, options = {}) {
  const result = spawnSync(command, argv, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], ...options });
  if (result.error) throw result.error;
  return result.status ?? 1;
}

if (!script) {
  console.error('usage: node hack/bootstrap.mjs SCRIPT [ARGUMENTS]');
  process.exit(2);
}
if (!packagesInstalled()) {
  console.log('Installing npm packages …');
  if (run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error']) !== 0) {
    console.error('npm ci failed: see its output above.');
    process.exit(1);
  }
}

const needs = [
  { file: '/usr/sbin/nginx', packages: ['nginx-light'] },
  { file: '/usr/share/nginx/modules-available/mod-http-ndk.conf', packages: ['libnginx-mod-http-ndk'] },
  { file: '/usr/share/nginx/modules-available/mod-http-lua.conf', packages: ['libnginx-mod-http-lua'] },
  { file: '/usr/share/lua/5.1/cjson', packages: ['lua-cjson'] },
  { file: '/usr/share/lua/5.1/resty/core.lua', packages: ['lua-resty-core'] },
  { file: '/usr/share/lua/5.1/resty/lrucache.lua', packages: ['lua-resty-lrucache'] },
  { file: '/usr/share/lua/5.1/nginx/redis.lua', packages: ['lua-nginx-redis'] },
  { file: '/usr/share/lua/5.1/nginx/sha256.lua', packages: ['lua-nginx-string'] },
  { file: '/usr/bin/redis-server', packages: ['redis-server'] },
  { file: '/usr/bin/openssl', packages: ['openssl'] },
  { file: '/usr/bin/mmdebstrap', packages: ['mmdebstrap'], only: 'hack/test.ts' },
  { file: '/usr/bin/luacheck', packages: ['lua-check'], only: 'hack/test.ts' },
  { file: '/usr/bin/shellcheck', packages: ['shellcheck'], only: 'hack/test.ts' },
  { file: '/usr/bin/promtool', packages: ['prometheus'], only: 'hack/test.ts' },
  { file: '/usr/bin/wrk', packages: ['wrk'], only: 'test/bench/main.ts' },
];
const missing = needs
  .filter((need) => (!need.only || need.only === script) && !existsSync(need.file))
  .flatMap((need) => need.packages);
if (missing.length > 0 && script !== 'hack/generate.ts' && script !== 'hack/build.ts') {
  const install = `apt-get install --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    console.error(
      `These Debian packages are missing: ${missing.join(' ')}\nInstall them, for example with:\n  sudo ${install}`,
    );
    process.exit(1);
  }
  console.log(`Installing Debian packages: ${missing.join(' ')} …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (argv) => run('apt-get', ['-qq', ...argv], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  // Debian's packages start nginx and redis when they are installed; the tests start their own.
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) run('sh', ['-c', `printf '#!/bin/sh\\nexit 101\\n' > ${policy} && chmod +x ${policy}`]);
  const failed = apt(['update']) !== 0 || apt(['install', '-y', '--no-install-recommends', ...missing]) !== 0;
  if (ours) run('rm', ['-f', policy]);
  if (failed) {
    console.error(`Could not install them. Install by hand and run again:\n  ${install}`);
    process.exit(1);
  }
}

const bin = join(root, 'node_modules', '.bin');
const child = spawn(join(bin, 'node'), [join(root, script), ...args], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
});
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => child.kill(name));
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
