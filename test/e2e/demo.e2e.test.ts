import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Demo } from './support/demo.ts';

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
