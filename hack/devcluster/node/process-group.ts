import { type ChildProcess, spawn } from 'node:child_process';
import type { Watchdog } from './watchdog.ts';

/** How to start a local process. */
export interface ProcessSpec {
  command: string;
  args: readonly string[];
  env: Record<string, string>;
  cwd: string;
}

/** How a process ended. */
export interface ProcessExit {
  /** 128 + signal number when a signal ended it, as container runtimes report it. */
  exitCode: number;
  /** Why it could not be started at all. */
  startError?: Error;
}

const SIGNAL_NUMBERS: Partial<Record<NodeJS.Signals, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

/** A process in a session and process group of its own, which the watchdog knows of. */
export class ProcessGroup {
  readonly #child: ChildProcess;
  readonly #watchdog: Watchdog;
  /** Resolves when the leader has exited and the rest of its group has been killed. Never rejects. */
  readonly exited: Promise<ProcessExit>;

  /** @param output file descriptor for standard output and error */
  constructor(spec: ProcessSpec, output: number, watchdog: Watchdog) {
    this.#watchdog = watchdog;
    this.#child = spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: spec.env,
      detached: true,
      // A file rather than a pipe: servers open /dev/stderr again, which a pipe or socket may refuse, and
      // what a process prints never passes through our event loop.
      stdio: ['ignore', output, output],
    });
    if (this.#child.pid !== undefined) watchdog.add(this.#child.pid);
    const { promise, resolve } = Promise.withResolvers<ProcessExit>();
    this.#child.once('error', (startError) => {
      if (this.#child.pid === undefined) resolve({ exitCode: 127, startError });
    });
    this.#child.once('exit', (code, signal) => {
      this.#release();
      resolve({ exitCode: code ?? 128 + (SIGNAL_NUMBERS[signal ?? 'SIGKILL'] ?? 0) });
    });
    this.exited = promise;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Signals the leader only, as a container runtime signals process 1 of the container. */
  terminate(): void {
    this.#child.kill('SIGTERM');
  }

  /** Kills the whole group. */
  kill(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#signalGroup();
  }

  #release(): void {
    this.#signalGroup();
    if (this.#child.pid !== undefined) this.#watchdog.remove(this.#child.pid);
  }

  #signalGroup(): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, 'SIGKILL');
    } catch (error) {
      // Nothing of the group is left.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
