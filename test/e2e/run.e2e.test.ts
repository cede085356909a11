/** `vllm-operator run` as a process beside a kubeconfig: what it says at the start, and that it ends with whoever started it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it, vi } from 'vitest';
import { startTestApiServer } from '../integration/support/api-server.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ARGUMENTS = ['run', '--probe-host', '127.0.0.1', '--probe-port', '0', '--no-leader-election'];

interface LogLine {
  msg: string;
  pid?: number;
  remedy?: string;
}

const cleanup: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});

/** Starts a command against an API server that has none of our definitions, and hands over the first line with that message. */
async function startOperator(command: string, args: readonly string[], message: string) {
  const server = await startTestApiServer();
  cleanup.push(() => server.close());
  const child = spawn(command, [...args, ...ARGUMENTS, '--kubeconfig', server.kubeconfig], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  cleanup.push(() => child.kill('SIGKILL'));
  const { promise, resolve, reject } = Promise.withResolvers<LogLine>();
  child.once('exit', (code) => reject(new Error(`ended with exit code ${code} before it said: ${message}`)));
  createInterface({ input: child.stderr }).on('line', (text) => {
    const line = JSON.parse(text) as LogLine;
    if (line.msg === message) resolve(line);
  });
  return { child, line: await promise };
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

const WAITING = 'the custom resource definitions are not installed yet; waiting for them';

it('waits for the custom resource definitions, and says how to install them', async () => {
  const { child, line } = await startOperator(process.execPath, ['operator/main.ts'], WAITING);
  expect(line.remedy).toBe('kubectl apply --server-side -f crds/');
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
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
    await vi.waitFor(() => expect(started.filter(isAlive)).toEqual([]), { timeout: 30_000 });
  },
);
