/** A Redis of the user's own, by the Secret that the router mounts: TLS with a private CA, a user, a database. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { createAuthority, issueServingCertificate } from '../../../operator/pki/pki.ts';
import { model, table } from '../../support/route-table.ts';
import { startEngine } from './support/engine.ts';
import { loopbackAddress, startRouter } from './support/router.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function tlsRedis(directory: string, host: string): Promise<void> {
  const context = { now: new Date() };
  const authority = await createAuthority(context);
  // OpenSSL's host check knows names only, and nginx resolves none from /etc/hosts.
  const names = { dnsNames: [host] as [string] };
  const { certificatePem, privateKeyPem } = await issueServingCertificate(authority, names, context);
  await writeFile(join(directory, 'ca.crt'), authority.current.certificatePem);
  await writeFile(join(directory, 'tls.crt'), certificatePem);
  await writeFile(join(directory, 'tls.key'), privateKeyPem);
  await writeFile(join(directory, 'url'), `rediss://app:p%40ss@${host}:6379/3\n`);
  const child = spawn('redis-server', ['-'], { stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.end(
    `bind ${host}\nport 0\ntls-port 6379\ntls-cert-file ${directory}/tls.crt\ntls-key-file ${directory}/tls.key\ntls-auth-clients no\nsave ""\nuser default off\nuser app on >p@ss ~* &* +@all\n`,
  );
  const exited = new Promise((resolve) => child.once('exit', resolve));
  closers.push(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await expect
    .poll(() => Promise.resolve(output.includes('Ready to accept connections')), { message: 'redis serves' })
    .toBeTruthy();
}

it('is used over TLS, as the user and in the database of its URL', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'external-redis-'));
  closers.push(() => rm(directory, { recursive: true }));
  await tlsRedis(directory, loopbackAddress());
  const upstream = await startEngine();
  closers.push(() => upstream.close());
  const cached = {
    ...model('m', [upstream.address]),
    cache: { enabled: true, ttlSeconds: 60, policy: 'All' as const },
  };
  const router = await startRouter({ table: table([cached]), env: { VLLM_ROUTER_REDIS: directory } });
  closers.push(() => router.close());
  const ask = async () => {
    const response = await fetch(`${router.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', messages: [] }),
    });
    await response.arrayBuffer();
    return response.headers.get('x-cache');
  };
  expect(await ask()).toBe('MISS');
  await expect.poll(async () => await ask(), { message: 'the answer is stored' }).toBe('HIT');
});

it('is the only thing for which authorities are read: each router would wait for them, and hold them', async () => {
  const router = await startRouter({ table: table([]) });
  closers.push(() => router.close());
  expect(await readFile(join(router.directory, 'prefix/redis.conf'), 'utf8')).not.toContain('certificate');
});
