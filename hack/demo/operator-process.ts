/** The operator as a process of its own, as it runs in a pod. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Returns once the operator leads, or the signal aborts. Throws when it ends before. */
export async function startOperator(
  kubeconfig: string,
  log: string,
  signal: AbortSignal,
): Promise<AsyncDisposable & { stop: () => Promise<void> }> {
  const main = join(root, 'operator/main.ts');
  const child = spawn(
    process.execPath,
    [main, 'run', '--kubeconfig', kubeconfig, '--probe-host', '127.0.0.1', '--probe-port', '0'],
    { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  child.stderr.pipe(createWriteStream(log));
  const exited = once(child, 'exit');
  const stop = async () => {
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
  return { stop, [Symbol.asyncDispose]: stop };
}
