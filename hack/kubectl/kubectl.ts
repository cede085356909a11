import { type CommandOptions, type CommandResult, runCommand } from './run-command.ts';
import { unpackTool } from './unpack-tool.ts';

/** Path of kubectl 1.35; `KUBECTL` in the environment names another one, for example an older version. */
export function kubectlPath(): string {
  return process.env.KUBECTL ?? unpackTool('kubectl');
}

export type { CommandResult };

export interface KubectlOptions extends CommandOptions {
  kubeconfig: string;
  /** Another kubectl than {@link kubectlPath}'s. */
  binary?: string;
}

/** Runs kubectl and returns what it printed, whatever its exit code. Rejects when it cannot be started or is aborted. */
export async function tryKubectl(args: readonly string[], options: KubectlOptions): Promise<CommandResult> {
  return await runCommand(options.binary ?? kubectlPath(), args, options);
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
