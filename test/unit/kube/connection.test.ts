// @peculiar/x509 needs it before its own import.
import 'reflect-metadata';
import { KeyObject, webcrypto } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inClusterConnection } from '../../../operator/kube/in-cluster.ts';
import { kubeconfigConnection } from '../../../operator/kube/kubeconfig.ts';
import { loadConnection } from '../../../operator/kube/load-connection.ts';
import { Transport } from '../../../operator/kube/transport.ts';
import { FakeClock } from './support/fake-clock.ts';
import { MiniApi } from './support/mini-api.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kube-connection-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function kubeconfig(cluster: object, user: object): string {
  const path = join(dir, 'config');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'one',
    clusters: [
      { name: 'c', cluster },
      { name: 'other', cluster: { server: 'http://127.0.0.1:1' } },
    ],
    users: [{ name: 'u', user }],
    contexts: [
      { name: 'one', context: { cluster: 'c', user: 'u', namespace: 'team-a' } },
      { name: 'two', context: { cluster: 'other', user: 'u' } },
    ],
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

const get = { method: 'GET', path: '/api/v1/pods' } as const;

describe('kubeconfig', () => {
  test('gives server, namespace and token; plain http is fine', async () => {
    const path = kubeconfig({ server: 'http://127.0.0.1:8001/' }, { token: 'abc' });
    const connection = await loadConnection({ env: { KUBECONFIG: path } });
    expect(connection).toMatchObject({ server: 'http://127.0.0.1:8001', namespace: 'team-a' });
    expect(await connection.credentials({ fresh: false })).toMatchObject({
      headers: { authorization: 'Bearer abc' },
    });
  });

  test('a token file is relative to the kubeconfig, wins over a token, and is read again', async () => {
    writeFileSync(join(dir, 'token'), 'first\n');
    const path = kubeconfig({ server: 'http://127.0.0.1:8001' }, { tokenFile: 'token', token: 'abc' });
    const clock = new FakeClock();
    const { credentials } = kubeconfigConnection(path, undefined, clock);
    const token = async (fresh = false) => (await credentials({ fresh })).headers.authorization;
    expect(await token()).toBe('Bearer first');
    writeFileSync(join(dir, 'token'), 'second');
    expect(await token()).toBe('Bearer first');
    expect(await token(true), 'at once when the server refuses the old one').toBe('Bearer second');
    writeFileSync(join(dir, 'token'), 'third');
    await clock.advance(61_000);
    expect(await token(), 'and after a minute').toBe('Bearer third');
  });

  test('a token file that cannot be read is an error at once', async () => {
    const path = kubeconfig({ server: 'http://127.0.0.1:8001' }, { tokenFile: join(dir, 'missing') });
    await expect(loadConnection({ kubeconfig: path })).rejects.toMatchObject({
      code: 'CONNECTION_CONFIG',
      message: expect.stringContaining(join(dir, 'missing')),
    });
  });

  test('each user has the token file of its own file', async () => {
    writeFileSync(join(dir, 'token'), 'mine');
    const other = join(dir, 'other');
    mkdirSync(other);
    writeFileSync(
      join(other, 'config'),
      JSON.stringify({ users: [{ name: 'them', user: { tokenFile: 'token' } }] }),
    );
    const path = kubeconfig({ server: 'http://127.0.0.1:8001' }, { tokenFile: 'token' });
    const connection = await loadConnection({ kubeconfig: `${join(other, 'config')}:${path}` });
    expect((await connection.credentials({ fresh: false })).headers.authorization).toBe('Bearer mine');
  });

  test('fields that make requests those of somebody else are refused if they are not supported', async () => {
    const path = kubeconfig({ server: 'http://127.0.0.1:8001' }, { token: 'abc', 'as-groups': ['viewers'] });
    await expect(loadConnection({ kubeconfig: path })).rejects.toMatchObject({
      code: 'CONNECTION_CONFIG',
      message: expect.stringMatching(/user "u" has as-groups, which is not supported; .* "as"/),
    });
  });

  test('another context can be named', async () => {
    const path = kubeconfig({ server: 'http://127.0.0.1:8001' }, {});
    expect(await loadConnection({ kubeconfig: path, context: 'two' })).toMatchObject({
      server: 'http://127.0.0.1:1',
    });
    await expect(loadConnection({ kubeconfig: path, context: 'none' })).rejects.toMatchObject({
      code: 'CONNECTION_CONFIG',
      message: expect.stringMatching(/context "none" has no cluster; choose one of [^ ]+, two$/),
    });
  });

  test('a credential plugin runs again when the server refuses its token', async () => {
    const api = await MiniApi.start();
    const token = join(dir, 'token');
    writeFileSync(token, 'old');
    const script = `process.stdout.write(JSON.stringify({apiVersion:'client.authentication.k8s.io/v1',kind:'ExecCredential',status:{token:require('fs').readFileSync(${JSON.stringify(token)},'utf8')}}))`;
    const path = kubeconfig(
      { server: api.url },
      {
        exec: {
          apiVersion: 'client.authentication.k8s.io/v1',
          command: process.execPath,
          args: ['-e', script],
        },
      },
    );
    let valid = 'old';
    api.fault = ({ headers }) => (headers.authorization === `Bearer ${valid}` ? undefined : { status: 401 });
    const transport = new Transport({ connection: await loadConnection({ kubeconfig: path }) });
    await transport.request(get);
    valid = 'new';
    writeFileSync(token, 'new');
    await Promise.all([transport.request(get), transport.request(get)]);
    expect(api.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer old',
      'Bearer old',
      'Bearer old',
      'Bearer new',
      'Bearer new',
    ]);
    valid = 'newer';
    writeFileSync(token, 'newer');
    const stream = await transport.stream(get);
    expect((await collect(stream)).length, 'a watch asks again too').toBeGreaterThan(0);
    valid = 'none';
    await expect(transport.request(get)).rejects.toMatchObject({ code: 'Unauthorized' });
    await transport.close();
    await api.close();
  });

  test('a credential plugin that hangs does not hold a request beyond its deadline', async () => {
    const path = kubeconfig(
      { server: 'http://127.0.0.1:1' },
      {
        exec: {
          apiVersion: 'client.authentication.k8s.io/v1',
          command: process.execPath,
          args: ['-e', 'setTimeout(() => {}, 2000)'],
        },
      },
    );
    const transport = new Transport({ connection: await loadConnection({ kubeconfig: path }) });
    await expect(transport.request({ ...get, timeoutMs: 50 })).rejects.toMatchObject({ code: 'Timeout' });
  });

  test('nothing to go by is said with a remedy', async () => {
    await expect(loadConnection({ env: { HOME: dir } })).rejects.toThrow('set KUBECONFIG');
    await expect(loadConnection({ env: { KUBECONFIG: join(dir, 'missing') } })).rejects.toMatchObject({
      code: 'CONNECTION_CONFIG',
    });
  });
});

describe('in a pod', () => {
  test('CA and token are read again while the process runs', async () => {
    const [first, second] = [await authority('first'), await authority('second')];
    const server = createServer(first, (request, response) => {
      response.writeHead(request.headers.authorization === 'Bearer t2' ? 200 : 401).end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const account = join(dir, 'account');
    mkdirSync(account);
    const write = (name: string, text: string) => writeFileSync(join(account, name), text);
    write('token', 't1');
    write('ca.crt', first.cert);
    write('namespace', 'operator-system\n');
    const clock = new FakeClock();
    const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(port) };
    const connection = inClusterConnection({ env, dir: account, clock });
    expect(connection.namespace).toBe('operator-system');
    const transport = new Transport({ connection });

    const refused = transport.request(get);
    await expect(refused).rejects.toMatchObject({ code: 'Unauthorized' });
    write('token', 't2');
    expect((await transport.request(get)).status, 'the new token is read when the old one is refused').toBe(
      200,
    );

    write('ca.crt', second.cert);
    await clock.advance(61_000);
    await expect(
      transport.request({ ...get, method: 'POST' }),
      'another CA is trusted now',
    ).rejects.toMatchObject({
      code: 'ConnectionFailed',
    });
    write('ca.crt', first.cert);
    await clock.advance(61_000);
    expect((await transport.request(get)).status).toBe(200);
    await transport.close();
    server.close();
  });
});

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

/** A self-signed certificate for 127.0.0.1. */
async function authority(name: string): Promise<{ key: string; cert: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const cert = await X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
  });
  const key = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' });
  return { key: String(key), cert: cert.toString('pem') };
}
