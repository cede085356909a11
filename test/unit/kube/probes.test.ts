import { once } from 'node:events';
import { connect } from 'node:net';
import { Gauge, Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { ProbeServer } from '../../../operator/kube/probes.ts';
import { FakeClock } from './support/fake-clock.ts';

/** A server that counts how often its metrics are collected. */
async function aServer(clock?: FakeClock) {
  const registry = new Registry();
  const scrapes = { count: 0 };
  new Gauge({
    name: 'work',
    help: 'Counts scrapes.',
    registers: [registry],
    collect() {
      scrapes.count += 1;
      clock?.block(100);
      this.set(scrapes.count);
    },
  });
  const server = new ProbeServer({ port: 0, host: '127.0.0.1', registry, ...(clock && { clock }) });
  await server.start();
  onTestFinished(() => server.stop());
  return { server, scrapes };
}

test('requests for metrics that come together cost one scrape', async () => {
  const { server, scrapes } = await aServer();
  const many = 100;
  const socket = connect(server.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  let answers = 0;
  let rest = '';
  // One write, which the server reads at once.
  socket.write('GET /metrics HTTP/1.1\r\nHost: operator\r\n\r\n'.repeat(many));
  for await (const chunk of socket) {
    const parts = (rest + String(chunk)).split('HTTP/1.1 200 OK');
    answers += parts.length - 1;
    rest = parts.at(-1) ?? '';
    if (answers === many) break;
  }
  expect(answers).toBe(many);
  // The kernel may cut the write in pieces.
  expect(scrapes.count).toBeLessThan(10);
});

test('each scrape shows what is so when it is asked for', async () => {
  const { server } = await aServer();
  const get = async () => (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
  expect(await get()).toContain('\nwork 1\n');
  expect(await get()).toContain('\nwork 2\n');
});

test('scrapes take a fifth of the time, however many ask one after the other', async () => {
  const clock = new FakeClock();
  const { server, scrapes } = await aServer(clock);
  const get = async () => (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
  await get();
  const answers = [get(), get()];
  await expect.poll(() => clock.pending, { message: 'the next one waits' }).toBe(1);
  await clock.advance(399);
  expect(scrapes.count).toBe(1);
  await clock.advance(1);
  await Promise.all(answers);
  expect(scrapes.count).toBeGreaterThan(1);
});

test('one address cannot use up the connections', async () => {
  const { server } = await aServer();
  const sockets = Array.from({ length: 40 }, () => connect(server.port, '127.0.0.1'));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  const refused = sockets.map((socket) => once(socket, 'close'));
  await Promise.race(refused);
  const other = connect({ port: server.port, host: '127.0.0.1', localAddress: '127.0.0.2' });
  onTestFinished(() => void other.destroy());
  other.write('GET /livez HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n');
  const [answer] = (await once(other, 'data')) as [Buffer];
  expect(String(answer)).toMatch(/^HTTP\/1.1 200/);
});

test('a path that is no URL is not there', async () => {
  const { server } = await aServer();
  const socket = connect(server.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write('GET // HTTP/1.1\r\nHost: operator\r\n\r\n');
  expect(String(await once(socket, 'data'))).toMatch(/^HTTP\/1\.1 404 /);
});
