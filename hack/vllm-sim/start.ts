/** Starts simulated engines as processes, for tests. */
import { spawn } from 'node:child_process';
import { simCommand } from './command.ts';

export interface StartSimOptions {
  /** As after `vllm serve`; `--host` and `--port` default to 127.0.0.1 and a free port. */
  args: readonly string[];
  /** Beside the simulator's defaults for tests: a hundred times faster, half a simulated second to start. */
  env?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

export interface SimProcess {
  /** Base URL without a path. */
  url: string;
  port: number;
  pid: number;
  /** Resolves when the process has ended. */
  exited: Promise<SimExit>;
  /** Sends a signal, by default SIGTERM. */
  signal(name?: NodeJS.Signals): void;
  /** Sets failure switches by POST /sim/control. */
  control(change: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** Kills the process and waits for its end. */
  stop(): Promise<void>;
}

export interface SimExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** The process ended before it was ready. */
export class SimExitedError extends Error {
  readonly code = 'SimExited';
  readonly exit: SimExit;

  constructor(exit: SimExit) {
    super(`vllm-sim ended with ${exit.code ?? exit.signal} before it was ready: ${exit.stderr.slice(-2000)}`);
    this.name = 'SimExitedError';
    this.exit = exit;
  }
}

/** Limit of the captured output per stream, in characters. */
const OUTPUT_LIMIT = 64 * 1024;

/**
 * Starts an engine and waits until it serves. It ends with this process. Throws SimExitedError when it ends before
 * it is ready, and the signal's reason when aborted (the process is killed then).
 */
export async function startSim(options: StartSimOptions): Promise<SimProcess> {
  options.signal?.throwIfAborted();
  const [command = process.execPath, ...prefix] = simCommand();
  const child = spawn(command, [...prefix, 'serve', ...withAddress(options.args)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      VLLM_SIM_TIME_SCALE: '0.01',
      VLLM_SIM_STARTUP_SECONDS: '0.5',
      VLLM_SIM_EXIT_WITH_STDIN: '1',
      ...options.env,
    },
  });
  let stdout = '';
  let stderr = '';
  const exited = new Promise<SimExit>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-OUTPUT_LIMIT);
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-OUTPUT_LIMIT);
      const found = /Starting vLLM server on (\S+)/.exec(stdout)?.[1];
      if (found !== undefined) {
        resolve(found);
      }
    });
    exited.then((exit) => reject(new SimExitedError(exit)), reject);
    options.signal?.addEventListener(
      'abort',
      () => {
        child.kill('SIGKILL');
        reject(options.signal?.reason);
      },
      { once: true },
    );
  });
  return {
    url,
    port: Number(new URL(url).port),
    pid: child.pid ?? 0,
    exited,
    signal: (name = 'SIGTERM') => child.kill(name),
    control: (change) => control(url, change),
    stop,
  };
}

/** At an address of this machine, and a port that the system chooses, where the arguments have none. */
function withAddress(args: readonly string[]): string[] {
  const has = (name: string): boolean => args.some((arg) => arg === name || arg.startsWith(`${name}=`));
  return [
    ...args,
    ...(has('--host') ? [] : ['--host', '127.0.0.1']),
    ...(has('--port') ? [] : ['--port', '0']),
  ];
}

async function control(url: string, change: Readonly<Record<string, unknown>>): Promise<unknown> {
  const response = await fetch(`${url}/sim/control`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(change),
  });
  if (!response.ok) {
    throw new Error(`control failed: ${await response.text()}`);
  }
  return response.json();
}
