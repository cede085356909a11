import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { processesUnder } from './processes.ts';

const DEMO = fileURLToPath(new URL('../../../hack/demo.ts', import.meta.url));

/** One run of the demo, in a directory of its own by which its processes are known. */
export class Demo {
  readonly directory: string;
  readonly #child;
  readonly #exited: Promise<unknown[]>;
  output = '';

  private constructor(directory: string, args: readonly string[], env: Record<string, string>) {
    this.directory = directory;
    // Detached, so that it has a process group as in a terminal, where Ctrl-C goes to all of a group.
    this.#child = spawn(process.execPath, [DEMO, '--time-scale', '0.3', ...args], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: directory, ...env },
    });
    this.#exited = once(this.#child, 'exit');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
  }

  static async start(args: readonly string[] = [], env: Record<string, string> = {}): Promise<Demo> {
    return new Demo(await mkdtemp(join(tmpdir(), 'demo-test-')), args, env);
  }

  /** As Ctrl-C or, with SIGKILL, as a broken end of the test. */
  signal(name: NodeJS.Signals): void {
    const ended = this.#child.exitCode !== null || this.#child.signalCode !== null;
    if (!ended && this.#child.pid !== undefined) process.kill(-this.#child.pid, name);
  }

  async exitCode(): Promise<unknown> {
    return (await this.#exited)[0];
  }

  /** Commands of the processes that are left. */
  commands(): string[] {
    return processesUnder(this.directory).map(({ command }) => command);
  }

  async close(): Promise<void> {
    this.signal('SIGKILL');
    await this.#exited;
    await rm(this.directory, { recursive: true, force: true });
  }
}
