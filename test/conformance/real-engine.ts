import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface EngineOptions {
  /** Path of `vllm`, as `installVllm` returns it. */
  command: string;
  /** Folder of the model. */
  model: string;
  /** Behind `vllm serve MODEL --host 127.0.0.1 --port PORT`. */
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** File for its output. */
  log: string;
  /** Kills it with all its processes. */
  signal: AbortSignal;
}

export interface Engine {
  url: string;
  /** What /health said before it was 200: statuses, or codes of connection errors. Each once. */
  whileLoading: string[];
  /** Seconds from start to /health. */
  loadSeconds: number;
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Sends SIGTERM. */
  terminate(): void;
  /** Sends SIGKILL. */
  kill(): void;
}

/** One thread computes, where it may: a second one would wait for a core. No connection to a hub, and no usage report. */
const ENVIRONMENT = {
  VLLM_CPU_KVCACHE_SPACE: '1',
  VLLM_CPU_OMP_THREADS_BIND: 'nobind',
  OMP_NUM_THREADS: '1',
  HF_HUB_OFFLINE: '1',
  TRANSFORMERS_OFFLINE: '1',
  VLLM_NO_USAGE_STATS: '1',
};

/** How often /health is asked while it loads, in milliseconds. */
const PERIOD_MS = 200;

/** Lines of the log in an error: vLLM names its reason some lines before it ends. */
const LOG_LINES = 60;

/** Starts a real vLLM and waits until it is healthy. Throws with the end of its log when it ends before. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  options.signal.throwIfAborted();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const address = ['--host', '127.0.0.1', '--port', String(port)];
  // Its processes write to the file themselves, so that it is complete when they end.
  const log = openSync(options.log, 'a');
  const child = spawn(options.command, ['serve', options.model, ...address, ...options.args], {
    stdio: ['ignore', log, log],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...ENVIRONMENT, ...options.env },
    // With a process group of its own: while vLLM loads it does not end on SIGTERM, and it has processes below it.
    detached: true,
  });
  closeSync(log);
  const killGroup = () => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  };
  options.signal.addEventListener('abort', killGroup);
  const exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
  exited.finally(() => options.signal.removeEventListener('abort', killGroup)).catch(() => undefined);
  const ended = new AbortController();
  exited.then(
    (how) => ended.abort(options.signal.aborted ? options.signal.reason : earlyEnd(how, options.log)),
    (cause) => ended.abort(cause),
  );
  const started = performance.now();
  const seen = new Set<string>();
  const stop = AbortSignal.any([options.signal, ended.signal]);
  for (;;) {
    const health = await healthOf(url);
    if (health === '200') break;
    seen.add(health);
    await sleep(PERIOD_MS, undefined, { signal: stop }).catch(() => stop.throwIfAborted());
  }
  return {
    url,
    whileLoading: [...seen],
    loadSeconds: (performance.now() - started) / 1000,
    exited,
    terminate: () => child.kill('SIGTERM'),
    kill: () => child.kill('SIGKILL'),
  };
}

function earlyEnd({ code, signal }: Awaited<Engine['exited']>, log: string): Error {
  const end = readFileSync(log, 'utf8').split('\n').slice(-LOG_LINES).join('\n');
  return new Error(`vllm ended with ${code ?? signal}; the end of ${log}:\n${end}`);
}

async function healthOf(url: string): Promise<string> {
  try {
    return String((await fetch(`${url}/health`)).status);
  } catch (cause) {
    const inner = cause instanceof Error ? cause.cause : undefined;
    return (inner as { code?: string } | undefined)?.code ?? String(cause);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
