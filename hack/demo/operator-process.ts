/** The operator as a process of its own, as it runs in a pod. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Returns once the operator leads, or the signal aborts. Throws when it ends before. One that ends later is started again, as a
 * kubelet would: it gives up when a busy machine does not let it renew its Lease.
 */
export async function startOperator(
  kubeconfig: string,
  log: string,
  signal: AbortSignal,
): Promise<AsyncDisposable & { stop: () => Promise<void> }> {
  let child = spawnOperator(kubeconfig, log);
  let exited = once(child, 'exit');
  let stopped = false;
  const stop = async () => {
    stopped = true;
    child.kill('SIGTERM');
    await exited;
  };
  const leads = new Promise<void>((resolve) => {
    child.stderr.on('data', (chunk: Buffer) => {
      if (chunk.includes('"leading"')) resolve();
    });
  });
  const outcome = await Promise.race([
    leads.then(() => 'leads' as const),
    exited.then(() => 'exited' as const),
    once(signal, 'abort').then(() => 'aborted' as const),
  ]);
  if (outcome === 'exited') throw new Error(`the operator ended at once: see ${log}`);
  const restart = (): void => {
    if (stopped || signal.aborted) return;
    child = spawnOperator(kubeconfig, log);
    exited = once(child, 'exit');
    child.once('exit', restart);
  };
  if (child.exitCode === null) child.once('exit', restart);
  else restart();
  return { stop, [Symbol.asyncDispose]: stop };
}

function spawnOperator(kubeconfig: string, log: string): ChildProcessByStdio<null, null, Readable> {
  const main = join(root, 'operator/main.ts');
  const child = spawn(
    process.execPath,
    [main, 'run', '--kubeconfig', kubeconfig, '--probe-host', '127.0.0.1', '--probe-port', '0'],
    { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  child.stderr.pipe(createWriteStream(log, { flags: 'a' }));
  return child;
}
