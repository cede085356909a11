import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { processesUnder } from './support/processes.ts';

const DEMO = fileURLToPath(new URL('../../hack/demo.ts', import.meta.url));

/** One run of the demo, in a directory of its own by which its processes are known. */
class Demo {
  readonly directory: string;
  readonly #child;
  readonly #exited: Promise<unknown[]>;
  output = '';

  private constructor(directory: string) {
    this.directory = directory;
    // Detached, so that it has a process group as in a terminal, where Ctrl-C goes to all of a group.
    this.#child = spawn(process.execPath, [DEMO, '--time-scale', '0.3'], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: directory },
    });
    this.#exited = once(this.#child, 'exit');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
  }

  static async start(): Promise<Demo> {
    return new Demo(await mkdtemp(join(tmpdir(), 'demo-test-')));
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

let whole: Demo;
let interrupted: Demo;

// Most of the demo's time is waiting, so that both can run at once.
beforeAll(async () => {
  [whole, interrupted] = await Promise.all([Demo.start(), Demo.start()]);
});
afterAll(() => Promise.all([whole?.close(), interrupted?.close()]));

it('Ctrl-C ends the demo and leaves no process behind', async () => {
  await expect
    .poll(() => interrupted.output.includes('Ask for a chat completion'), { message: 'everything runs' })
    .toBeTruthy();
  expect(interrupted.commands()).toEqual(
    expect.arrayContaining(
      ['operator/main.ts', 'vllm-sim/main.ts', 'nginx: worker process', 'redis-server'].map((part) =>
        expect.stringContaining(part),
      ),
    ),
  );

  interrupted.signal('SIGINT');
  await interrupted.exitCode();

  await expect.poll(() => interrupted.commands().length, { message: 'no process is left' }).toBe(0);
  expect((await readdir(interrupted.directory)).filter((name) => name.startsWith('devcluster'))).toEqual([]);
  expect(interrupted.output).not.toContain('Error');
});

it('the demo goes through to its end, and leaves nothing behind', async () => {
  const code = await whole.exitCode();

  expect(code, whole.output).toBe(0);
  expect(whole.output).toMatch(/\d+ requests during the rollout, 0 failed/);
  expect(whole.output).toContain('no object with app.kubernetes.io/managed-by=vllm-operator is left');
  await expect.poll(() => whole.commands().length, { message: 'no process is left' }).toBe(0);
  expect((await readdir(whole.directory)).filter((name) => name.startsWith('devcluster'))).toEqual([]);
});
