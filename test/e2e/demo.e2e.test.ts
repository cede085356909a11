import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { VLLM_VERSIONS } from '../../hack/vllm/environment.ts';
import { processesUnder } from './support/processes.ts';

const SIMULATOR = fileURLToPath(new URL('../../hack/vllm-sim/main.ts', import.meta.url));
const DEMO = fileURLToPath(new URL('../../hack/demo.ts', import.meta.url));

/** One run of the demo, in a directory of its own by which its processes are known. */
class Demo {
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

/**
 * Virtual environments as `npm run demo -- --engine vllm` installs them, with the simulator in the place of `vllm`. Engines
 * have a /tmp of their own, so they are elsewhere.
 */
async function environments(): Promise<string> {
  const directory = await mkdtemp('/var/tmp/demo-test-');
  const bin = join(directory, `vllm-${VLLM_VERSIONS[0]}`, 'bin');
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, 'python'), '#!/bin/sh\n', { mode: 0o755 });
  const env = 'VLLM_SIM_STARTUP_SECONDS=1 VLLM_SIM_INTER_TOKEN_MS=2';
  const script = `#!/bin/sh\nexec env ${env} '${process.execPath}' '${SIMULATOR}' "$@"\n`;
  await writeFile(join(bin, 'vllm'), script, { mode: 0o755 });
  return directory;
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

it('the demo with the vllm of a virtual environment goes through to its end', async ({ onTestFinished }) => {
  const VLLM_ENVIRONMENTS = await environments();
  const demo = await Demo.start(['--engine', 'vllm'], { VLLM_ENVIRONMENTS });
  onTestFinished(async () => {
    await demo.close();
    await rm(VLLM_ENVIRONMENTS, { recursive: true });
  });

  const code = await demo.exitCode();

  expect(code, demo.output).toBe(0);
  expect(demo.output).toMatch(/[1-9]\d* streams with \d+ tokens went to their end, 0 were cut/);
  expect(demo.output).toContain('X-Cache: HIT');
  expect(demo.output).toMatch(/^ +load +\S+s +until the engine was ready$/m);
  expect(demo.output).toContain('no object with app.kubernetes.io/managed-by=vllm-operator is left');
});

it('a demo that stops says where, and what the engines wrote', async ({ onTestFinished }) => {
  const VLLM_ENVIRONMENTS = await environments();
  const vllm = join(VLLM_ENVIRONMENTS, `vllm-${VLLM_VERSIONS[0]}`, 'bin', 'vllm');
  // It starts, and cannot answer anything.
  await writeFile(vllm, `${await readFile(vllm, 'utf8')}`.replace('env ', 'env VLLM_SIM_ERROR_RATE=1 '));
  const demo = await Demo.start(['--engine', 'vllm'], { VLLM_ENVIRONMENTS });
  onTestFinished(async () => {
    await demo.close();
    await rm(VLLM_ENVIRONMENTS, { recursive: true });
  });

  expect(await demo.exitCode()).toBe(1);

  expect(demo.output).toContain('the demo stopped at step 6 (Ask for a chat completion)');
  expect(demo.output).toContain('inferencemodel.vllm-operator.dev/tiny');
  expect(demo.output).toMatch(/\$ kubectl logs -n team-a vllm-tiny-\S+ --tail=30/);
});
