import { spawn } from 'node:child_process';

export interface CommandResult {
  /** Exit code; -1 when a signal ended the command. */
  code: number;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  /** The kubeconfig of the cluster; absent for commands that need no cluster. */
  kubeconfig?: string;
  /** Text for standard input, for `-f -`. */
  input?: string;
  signal?: AbortSignal;
}

/** Runs a command and returns what it printed, whatever its exit code. Rejects when it cannot be started or is aborted. */
export async function runCommand(
  binary: string,
  args: readonly string[],
  { kubeconfig, input = '', signal }: CommandOptions,
): Promise<CommandResult> {
  const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
  const child = spawn(binary, args, {
    env: { ...process.env, ...(kubeconfig !== undefined && { KUBECONFIG: kubeconfig }) },
    stdio: 'pipe',
    ...(signal ? { signal } : {}),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.on('error', reject);
  child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
  // It may exit before it has read its input.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return promise;
}
