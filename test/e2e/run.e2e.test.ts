/** `vllm-operator run` as a process beside a kubeconfig: what it says at the start, and that it ends with whoever started it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { startTestApiServer } from '../integration/support/api-server.ts';
import { CLUSTER_PATIENCE } from '../support/patience.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ARGUMENTS = ['run', '--probe-host', '127.0.0.1', '--no-leader-election'];

interface LogLine {
  msg: string;
  pid?: number;
  remedy?: string;
}

const cleanup: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});

/** An API server that has none of our definitions. */
async function startServer() {
  const server = await startTestApiServer();
  cleanup.push(() => server.close());
  return server;
}

/** Starts a command, and hands over the first line of its log with a message. */
function spawnOperator(
  command: string,
  args: readonly string[],
  { kubeconfig, probePort = 0 }: { kubeconfig: string; probePort?: number },
) {
  const child = spawn(
    command,
    [...args, ...ARGUMENTS, '--probe-port', String(probePort), '--kubeconfig', kubeconfig],
    { cwd: ROOT, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  cleanup.push(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stderr });
  const says = (message: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<LogLine>();
    child.once('exit', (code) =>
      reject(new Error(`ended with exit code ${code} before it said: ${message}`)),
    );
    lines.on('line', (text) => {
      const line = JSON.parse(text) as LogLine;
      if (line.msg === message) resolve(line);
    });
    return promise;
  };
  return { child, says };
}

async function startOperator(command: string, args: readonly string[], message: string) {
  const { kubeconfig } = await startServer();
  const { child, says } = spawnOperator(command, args, { kubeconfig });
  return { child, line: await says(message) };
}

/** A port on which nothing listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A kubeconfig whose API server is at a port where nothing listens until `open`. */
async function serverThatIsAway() {
  const server = await startServer();
  const text = await readFile(server.kubeconfig, 'utf8');
  const target = new URL(parse(text).clusters[0].cluster.server);
  const port = await freePort();
  const directory = await mkdtemp(join(tmpdir(), 'away-'));
  const kubeconfig = join(directory, 'kubeconfig');
  await writeFile(kubeconfig, text.replaceAll(target.host, `${target.hostname}:${port}`));
  cleanup.push(() => rm(directory, { recursive: true }));
  const open = async () => {
    const proxy = createServer((client) => {
      const upstream = connect(Number(target.port), target.hostname);
      client.pipe(upstream).pipe(client);
      for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
    });
    proxy.listen(port, target.hostname);
    await once(proxy, 'listening');
    cleanup.push(() => proxy.close());
  };
  /** Answers as an API server does that has just started and has not read its roles yet, until the returned function is called. */
  const refuse = async () => {
    const body = JSON.stringify({ kind: 'Status', code: 403, reason: 'Forbidden', message: 'not read yet' });
    const refusing = createHttpServer((_request, response) => {
      response.writeHead(403, { 'content-type': 'application/json' }).end(body);
    });
    refusing.listen(port, target.hostname);
    await once(refusing, 'listening');
    return async () => {
      refusing.close();
      refusing.closeAllConnections();
      await once(refusing, 'close');
    };
  };
  return { kubeconfig, open, refuse };
}

/** Process ids of all that descends from a process. */
function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter(Boolean)
    .map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

const WAITING = 'the CustomResourceDefinitions are not installed yet; waiting for them';
const NOT_YET = 'the API server does not let the operator start yet; trying again';

it('waits for the custom resource definitions, and says how to install them', async () => {
  const { child, line } = await startOperator(process.execPath, ['operator/main.ts'], WAITING);
  expect(line.remedy).toBe('kubectl apply --server-side -f crds/');
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
});

it('waits while it is forbidden everything, as by an API server that has not read its roles yet', async () => {
  const { kubeconfig, open, refuse } = await serverThatIsAway();
  const stopRefusing = await refuse();
  const { says } = spawnOperator(process.execPath, ['operator/main.ts'], { kubeconfig });
  await says(NOT_YET);
  await stopRefusing();
  await open();
  await says(WAITING);
});

it('waits for an API server that is away, and is alive meanwhile: restarts would only make the kubelet wait', async () => {
  const { kubeconfig, open } = await serverThatIsAway();
  const probePort = await freePort();
  const { says } = spawnOperator(process.execPath, ['operator/main.ts'], { kubeconfig, probePort });
  await says(NOT_YET);
  expect((await fetch(`http://127.0.0.1:${probePort}/livez`)).status).toBe(200);
  expect((await fetch(`http://127.0.0.1:${probePort}/readyz`)).status).toBe(500);
  await open();
  await says(WAITING);
});

it.each(['SIGTERM', 'SIGKILL'] as const)(
  'ends when the npx that started it is ended with %s',
  async (signal) => {
    const { child } = await startOperator('npx', ['--no-install', 'vllm-operator'], WAITING);
    const started = descendants(child.pid as number);
    cleanup.push(() => {
      for (const pid of started) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    });
    child.kill(signal);
    await vi.waitFor(() => expect(started.filter(isAlive)).toEqual([]), CLUSTER_PATIENCE);
  },
);
