import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { type Backend, TcpProxy } from '../../../hack/devcluster/network/tcp-proxy.ts';

const closers: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function backend(
  serve: (socket: Socket) => void,
  host = '127.0.0.1',
): Promise<Backend & { server: Server }> {
  const server = createServer({ allowHalfOpen: true }, serve);
  server.listen({ host, port: 0, backlog: 4096 });
  await once(server, 'listening');
  closers.push(() => server.close());
  return { server, host, port: (server.address() as AddressInfo).port };
}

async function proxyTo(backends: Backend[]): Promise<{ proxy: TcpProxy; listen: Backend }> {
  // A port that was free a moment ago, on an address that no other test listens on.
  const probe = createServer().listen(0, '127.77.0.1');
  await once(probe, 'listening');
  const listen = { host: '127.77.0.1', port: (probe.address() as AddressInfo).port };
  await new Promise((resolve) => probe.close(resolve));
  const errors: Error[] = [];
  const proxy = new TcpProxy({ listen, onError: (error) => errors.push(error) });
  closers.push(() => proxy.close());
  proxy.setBackends(backends);
  return { proxy, listen };
}

async function ask(to: Backend, question: string): Promise<string> {
  const socket = connect({ ...to, allowHalfOpen: true });
  socket.end(question);
  return text(socket);
}

async function outcome(to: Backend): Promise<string> {
  return ask(to, 'x').catch((error: NodeJS.ErrnoException) => error.code ?? 'unknown');
}

test('an answer that is sent after the client has closed its side arrives', async () => {
  const upper = await backend((socket) => {
    void text(socket).then((question) => socket.end(question.toUpperCase()));
  });
  const { listen } = await proxyTo([upper]);

  expect(await ask(listen, 'hello')).toBe('HELLO');
});

test('a thousand connections at once stay open, and each keeps its own stream', async () => {
  const echo = await backend((socket) => void socket.pipe(socket));
  const { listen } = await proxyTo([echo]);
  const sockets = await Promise.all(
    Array.from({ length: 1000 }, async () => {
      const socket = connect(listen);
      closers.push(() => socket.destroy());
      await once(socket, 'connect');
      return socket;
    }),
  );

  const answers = await Promise.all(
    sockets.map(async (socket, i) => {
      socket.setEncoding('utf8').write(`stream ${i}`);
      const [answer] = (await once(socket, 'data')) as [string];
      return answer;
    }),
  );

  expect(answers).toEqual(sockets.map((_, i) => `stream ${i}`));
});

test('connections are refused while there is no backend, and served when there is one again', async () => {
  const echo = await backend((socket) => void socket.pipe(socket));
  const { proxy, listen } = await proxyTo([]);
  expect(await outcome(listen)).toBe('ECONNREFUSED');

  proxy.setBackends([echo]);
  await expect.poll(() => outcome(listen)).toBe('x');

  proxy.setBackends([]);
  await expect.poll(() => outcome(listen)).toBe('ECONNREFUSED');
});

test('a backend that refuses is passed over', async () => {
  const gone = await backend(() => undefined);
  await new Promise((resolve) => gone.server.close(resolve));
  const echo = await backend((socket) => void socket.pipe(socket));
  const { listen } = await proxyTo([gone, echo]);

  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(listen, `${i}`)));

  expect(answers).toEqual(answers.map((_, i) => `${i}`));
});

test('a connection that the backend resets is reset for the client', async () => {
  const rude = await backend((socket) => {
    socket.once('data', () => socket.resetAndDestroy());
  });
  const { listen } = await proxyTo([rude]);

  expect(await outcome(listen)).toBe('ECONNRESET');
});
