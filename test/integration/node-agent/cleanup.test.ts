import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { kubectl } from '../../../hack/kubectl/kubectl.ts';
import { deploymentOf } from './support/test-cluster.ts';

const MAIN = fileURLToPath(new URL('../../../hack/devcluster/main.ts', import.meta.url));

let running: ChildProcess | undefined;
afterEach(() => running?.kill('SIGKILL'));

/** Ids of the processes that work in a directory, also when that is gone. */
function processesIn(directory: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(directory);
    } catch {
      return false;
    }
  });
}

/** `npm run devcluster` with two pods that ignore SIGTERM. */
async function startWithPods(): Promise<{ devcluster: ChildProcess; directory: string }> {
  const devcluster = spawn(process.execPath, [MAIN], { stdio: ['ignore', 'pipe', 'inherit'] });
  running = devcluster;
  let output = '';
  devcluster.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  await expect.poll(() => output).toContain('Ctrl-C ends it');
  const kubeconfig = /KUBECONFIG=(.*)/.exec(output)?.[1] ?? '';
  const container = {
    name: 'main',
    image: 'busybox',
    command: ['/bin/sh', '-c', "trap '' TERM; sleep 1000 & wait"],
  };
  const deployment = deploymentOf('default', 'left', 2, { containers: [container] });
  await kubectl(['create', '-f', '-'], { kubeconfig, input: JSON.stringify(deployment) });
  const directory = dirname(kubeconfig);
  // Two shells, each with its sleep.
  await expect.poll(() => processesIn(directory).length).toBe(4);
  // A shell runs a moment before the watchdog knows of it; once its pod is said to be ready, it does.
  await kubectl(['wait', '--for=jsonpath={.status.readyReplicas}=2', 'deployment/left', '--timeout=60s'], {
    kubeconfig,
  });
  return { devcluster, directory };
}

test.each(['SIGINT', 'SIGKILL'] as const)(
  '%s of the cluster’s process leaves no process and no file',
  async (signal) => {
    const { devcluster, directory } = await startWithPods();

    devcluster.kill(signal);

    const [code] = (await once(devcluster, 'exit')) as [number | null];
    expect(code).toBe(signal === 'SIGINT' ? 0 : null);
    await expect.poll(() => processesIn(directory)).toEqual([]);
    await expect.poll(() => existsSync(directory)).toBe(false);
  },
);
