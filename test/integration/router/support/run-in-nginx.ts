/** Scripts that run in nginx's Lua when it starts. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROUTER = join(import.meta.dirname, '../../../../operator/router/nginx');
const SUPPORT = import.meta.dirname;
const run = promisify(execFile);

/** What a script of this folder prints that runs in nginx's Lua, with the router's modules. */
export async function runInNginx(script: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'growth-'));
  try {
    const { stderr } = await run('nginx', ['-V']);
    const modules = /--modules-path=(\S+)/.exec(stderr)?.[1] ?? '';
    const loads = ['ndk_http_module', 'ngx_http_lua_module']
      .map((name) => join(modules, `${name}.so`))
      .filter((file) => existsSync(file))
      .map((file) => `load_module ${file};`);
    const conf = `${loads.join('\n')}
daemon off; master_process off; pid nginx.pid; error_log stderr; events {}
http {
  lua_package_path "${ROUTER}/?.lua;;";
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  access_log off;
  init_by_lua_block { dofile("${join(SUPPORT, script)}") os.exit(0) }
}`;
    await writeFile(join(directory, 'nginx.conf'), conf);
    const { stdout } = await run('nginx', [
      '-e',
      'stderr',
      '-p',
      `${directory}/`,
      '-c',
      join(directory, 'nginx.conf'),
    ]);
    return stdout;
  } finally {
    await rm(directory, { recursive: true });
  }
}
