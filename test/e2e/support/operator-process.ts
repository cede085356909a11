/** `vllm-operator run` as a process of its own, as in production. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Watchdog } from '../../../hack/devcluster/node/watchdog.ts';
import { eventually } from '../../support/eventually.ts';

const MAIN = fileURLToPath(new URL('../../../operator/main.ts', import.meta.url));

export class OperatorProcess {
  readonly #child: ChildProcess;
  readonly #logFile: string;
  readonly #alone: boolean;

  /**
   * @param directory where its log goes
   * @param args further options of `vllm-operator run`
   * @param nodeArgs options of node itself
   */
  constructor(
    kubeconfig: string,
    directory: string,
    name: string,
    watchdog: Watchdog,
    args: readonly string[] = [],
    nodeArgs: readonly string[] = [],
  ) {
    this.#alone = args.includes('--no-leader-election');
    this.#logFile = join(directory, `${name}.log`);
    const log = openSync(this.#logFile, 'a');
    this.#child = spawn(
      process.execPath,
      [
        ...nodeArgs,
        ...[MAIN, 'run', '--kubeconfig', kubeconfig],
        ...['--probe-host', '127.0.0.1', '--probe-port', '0', ...args],
      ],
      { detached: true, stdio: ['ignore', 'ignore', log] },
    );
    closeSync(log);
    if (this.#child.pid !== undefined) watchdog.add(this.#child.pid);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async log(): Promise<string> {
    return await readFile(this.#logFile, 'utf8');
  }

  /** Lines of the log at level error. */
  async errors(): Promise<string[]> {
    return (await this.log()).split('\n').filter((line) => line.includes('"level":"error"'));
  }

  async leads(): Promise<boolean> {
    return this.#alone || (await this.log()).includes('"leading"');
  }

  async untilLeads(): Promise<void> {
    await eventually('the operator leads', async () => {
      if (!this.running) throw new Error(`the operator ended: ${await this.log()}`);
      return await this.leads();
    });
  }

  /** Ends it at once, or with SIGTERM in its own order; returns its exit code, null after a kill. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number | null> {
    if (this.running) {
      const exited = once(this.#child, 'exit');
      this.#child.kill(signal);
      await exited;
    }
    return this.#child.exitCode;
  }
}
