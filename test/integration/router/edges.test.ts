import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { Agent, request } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { startEngine } from './support/engine.ts';
import { type Router, type RouterOptions, startRouter } from './support/router.ts';
import { openStream } from './support/stream.ts';

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];

describe('edges', () => {
  const cleanup: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const undo of cleanup.splice(0).reverse()) await undo();
  });
  const start = async (options: RouterOptions): Promise<Router> => {
    const router = await startRouter(options);
    cleanup.push(router.close);
    return router;
  };
  const engine = async () => {
    const started = await startEngine();
    cleanup.push(started.close);
    return started;
  };
  const certificate = async (directory: string, name: string, key = EC) =>
    await promisify(execFile)('openssl', [
      'req',
      '-x509',
      ...key,
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      join(directory, 'tls.key'),
      '-out',
      join(directory, 'tls.crt'),
    ]);

  test('TLS from a Secret: HTTP/1.1 and h2, and a renewed certificate ends no stream and no connection', async () => {
    const secret = await mkdtemp(join(tmpdir(), 'router-tls-'));
    cleanup.push(async () => await rm(secret, { recursive: true, force: true }));
    await certificate(secret, 'first.example');
    const upstream = await engine();
    const router = await start({
      table: table([model('m', [upstream.address])]),
      env: { VLLM_ROUTER_TLS: secret, VLLM_ROUTER_TLS_INTERVAL: '0.1' },
    });
    const url = router.url.replace('http:', 'https:');
    const subject = async () =>
      await new Promise<string>((resolve, reject) => {
        const socket = connectTls(
          { host: router.address, port: 8080, rejectUnauthorized: false, servername: 'x' },
          () => {
            resolve(String(socket.getPeerCertificate().subject.CN));
            socket.destroy();
          },
        );
        socket.on('error', reject);
      });
    expect(await subject()).toBe('first.example');
    const connections = new Set<unknown>();
    const agent = new Agent({ connections: 1, connect: { rejectUnauthorized: false } });
    agent.on('connect', (_, targets) => connections.add(targets));
    cleanup.push(async () => await agent.destroy());
    const ask = async () => {
      const answer = await request(`${url}/v1/completions`, {
        method: 'POST',
        body: '{"model":"m"}',
        dispatcher: agent,
      });
      await answer.body.dump();
      return answer.statusCode;
    };
    expect(await ask()).toBe(200);

    const session = connectHttp2(url, { rejectUnauthorized: false });
    cleanup.push(async () => session.destroy());
    const stream = session.request({ ':method': 'POST', ':path': '/v1/chat/completions' });
    stream.end('{"model":"m","stream":true}');
    let text = '';
    stream.setEncoding('utf8').on('data', (data: string) => {
      text += data;
    });
    const ended = new Promise((resolve) => stream.once('end', resolve));
    await expect
      .poll(() => upstream.streams.size === 1 && text !== '', { message: 'the stream is open' })
      .toBeTruthy();

    await certificate(secret, 'second.example');
    await expect
      .poll(async () => await subject(), { message: 'the new certificate is served' })
      .toBe('second.example');
    expect(await ask()).toBe(200);
    expect(connections.size).toBe(1);
    upstream.push('late');
    upstream.finish();
    await ended;
    expect(text).toContain('data: late\n\ndata: [DONE]\n\n');

    await certificate(secret, 'third.example', ['-newkey', 'rsa:1024']);
    await expect
      .poll(async () => (await subject()) === 'second.example' && router.errors().includes('refused'), {
        message: 'one that OpenSSL refuses is reported, and the one before goes on',
      })
      .toBe(true);

    await writeFile(join(secret, 'tls.key'), 'no key');
    await expect.poll(() => router.errors()).toContain('tls.crt and tls.key');
    expect(await subject()).toBe('second.example');
  });

  test.each([
    [
      'a header that is too large',
      `POST /v1/completions HTTP/1.1\r\nHost: x\r\nX-Flood: ${'x'.repeat(70_000)}\r\n\r\n`,
      431,
    ],
    [
      'very many headers',
      `POST /v1/completions HTTP/1.1\r\nHost: x\r\n${'X-Flood: xxxxxxxxxxxxxxxx\r\n'.repeat(10_000)}\r\n`,
      431,
    ],
    ['what is no HTTP', 'hello\r\n\r\n', 400],
    [
      'a length that is no number',
      'POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n',
      400,
    ],
    [
      'two lengths',
      'POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx',
      400,
    ],
    [
      'an unknown transfer coding',
      'POST /v1/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zip\r\n\r\n',
      501,
    ],
  ])('%s is refused, and the router goes on', async (_, bytes, status) => {
    const upstream = await engine();
    const router = await start({ workers: 1, table: table([model('m', [upstream.address])]) });
    const text = await new Promise<string>((resolve) => {
      const socket = connectTcp({ host: router.address, port: 8080 });
      let received = '';
      socket.on('data', (data) => {
        received += data.toString();
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(received));
      socket.write(bytes);
    });
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(text).toContain('{"error":{"message":');
    expect(
      (await fetch(`${router.url}/v1/completions`, { method: 'POST', body: '{"model":"m"}' })).status,
    ).toBe(200);
    expect(upstream.requests.length).toBe(1);
  });

  test('a slow client gets all of a long stream, and holds up no other', async () => {
    const upstream = await engine();
    const router = await start({ workers: 1, table: table([model('m', [upstream.address])]) });
    const slow = connectTcp({ host: router.address, port: 8080 });
    cleanup.push(async () => {
      slow.destroy();
    });
    const body = '{"model":"m","stream":true}';
    slow.write(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    slow.pause();
    await expect.poll(() => upstream.streams.size, { message: 'its stream is open' }).toBe(1);
    const event = 'x'.repeat(10_000);
    for (let i = 0; i < 1000; i += 1) upstream.push(event);
    const other = await openStream(router.url, { model: 'm' });
    upstream.push('for both');
    await expect.poll(() => other.text().includes('for both'), { message: 'the other has it' }).toBeTruthy();
    upstream.finish();
    let bytes = 0;
    let tail = '';
    slow.on('data', (data) => {
      bytes += data.length;
      tail = (tail + data.toString()).slice(-100);
    });
    slow.resume();
    await expect.poll(() => tail.includes('[DONE]'), { message: 'all of it is there' }).toBeTruthy();
    expect(bytes).toBeGreaterThan(10_000_000);
  });

  test('a WebSocket reaches the engine of the model in its query, and both sides are heard', async () => {
    const server = createServer();
    server.on('upgrade', (incoming, socket) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Path: ${incoming.url}\r\n\r\n`,
      );
      socket.on('data', (data) => socket.write(`heard ${data}`));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanup.push(async () => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const router = await start({ table: table([model('m', [`127.0.0.1:${port}`])]) });
    const socket = connectTcp({ host: router.address, port: 8080 });
    cleanup.push(async () => {
      socket.destroy();
    });
    let text = '';
    socket.setEncoding('utf8').on('data', (data: string) => {
      text += data;
    });
    socket.write(
      'GET /v1/realtime?model=m HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    );
    await expect.poll(() => text.includes('\r\n\r\n'), { message: 'it is open' }).toBeTruthy();
    expect(text).toMatch(/^HTTP\/1.1 101 /);
    expect(text).toContain('X-Path: /v1/realtime?model=m');
    socket.write('words');
    await expect.poll(() => text.endsWith('heard words'), { message: 'it is heard' }).toBeTruthy();
  });
});
