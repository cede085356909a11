import { spawn } from 'node:child_process';
import { unpackTool } from './unpack-tool.ts';

/** Path of kubectl 1.35; `KUBECTL` in the environment names another one, for example an older version. */
export function kubectlPath(): string {
  return process.env.KUBECTL ?? unpackTool('kubectl');
}

export interface CommandResult {
  /** Exit code; -1 when a signal ended the command. */
  code: number;
  stdout: string;
  stderr: string;
}

export interface KubectlOptions {
  kubeconfig: string;
  /** Text for standard input, for `-f -`. */
  input?: string;
  signal?: AbortSignal;
  /** Another kubectl than {@link kubectlPath}'s. */
  binary?: string;
}

/** Runs kubectl and returns what it printed, whatever its exit code. Rejects when it cannot be started or is aborted. */
export async function tryKubectl(args: readonly string[], options: KubectlOptions): Promise<CommandResult> {
  const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
  const child = spawn(options.binary ?? kubectlPath(), args, {
    env: { ...process.env, KUBECONFIG: options.kubeconfig },
    stdio: 'pipe',
    ...(options.signal ? { signal: options.signal } : {}),
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
  // kubectl may exit before it has read its input.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  return promise;
}

/** Runs kubectl and returns its standard output. Throws {@link KubectlError} when it exits with another code than 0. */
export async function kubectl(args: readonly string[], options: KubectlOptions): Promise<string> {
  const result = await tryKubectl(args, options);
  if (result.code !== 0) throw new KubectlError(args, result);
  return result.stdout;
}

/** kubectl exited with a code other than 0. */
export class KubectlError extends Error {
  readonly code = 'KUBECTL_FAILED';
  readonly result: CommandResult;

  constructor(args: readonly string[], result: CommandResult) {
    super(
      `kubectl ${args.join(' ')} exited with ${result.code}: ${result.stderr.trim() || result.stdout.trim()}`,
    );
    this.name = 'KubectlError';
    this.result = result;
  }
}
