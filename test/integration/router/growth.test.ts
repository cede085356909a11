import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ROUTER = join(import.meta.dirname, '../../../operator/router/nginx');
const SUPPORT = join(import.meta.dirname, 'support');
const run = promisify(execFile);

/** What a script of the folder `support` prints that runs in nginx's Lua, with the router's modules. */
async function runInNginx(script: string): Promise<string> {
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

test('the work of every parser of client input grows with its size, not with its square', async () => {
  const lines = (await runInNginx('growth.lua')).trim().split('\n');
  expect(lines.length).toBeGreaterThan(10);
  for (const line of lines) {
    const [name, once, twice, four] = line.split('\t');
    expect(Number(twice), name).toBeLessThan(2.5 * Number(once));
    expect(Number(four), name).toBeLessThan(5 * Number(once));
  }
});

test('buffered parts of an event take memory by bytes, not by number of chunks', async () => {
  const [event, object] = (await runInNginx('pieces.lua')).split('\t').map(Number);
  expect(event).toBeLessThan(128);
  expect(object).toBeLessThan(16);
});

test('the list for a key with few models takes the same work however many models the pool has', async () => {
  const lines = (await runInNginx('model-list.lua')).trim().split('\n');
  const [few, many] = lines.map((line) => line.split('\t').map(Number));
  expect(few?.[1]).toBe(1);
  expect(many).toEqual(few);
});

test('metrics take a fifth of the time of a worker, however many ask, and none are older than the question', async () => {
  const [busy, stale] = (await runInNginx('scrapes.lua')).split('\t').map(Number);
  expect(busy).toBeGreaterThan(1);
  expect(busy).toBeLessThan(2.1);
  expect(stale).toBe(0);
});

test('batching windows are counted without taking the memory of the route table', async () => {
  const [keys, windows] = (await runInNginx('batch-windows.lua')).split('\t').map(Number);
  expect(keys).toBe(0);
  expect(windows).toBe(10_000);
});
