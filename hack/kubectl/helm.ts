import { spawnSync } from 'node:child_process';
import type { CommandResult } from './kubectl.ts';
import { unpackTool } from './unpack-tool.ts';

export interface HelmOptions {
  /** Of the cluster; commands like `template` need none. */
  kubeconfig?: string;
  /** Text for standard input, for `-f -`. */
  input?: string;
}

/** Runs Helm 4, or the one that `HELM` in the environment names, and returns what it printed, whatever its exit code. */
export function tryHelm(args: readonly string[], { kubeconfig, input }: HelmOptions = {}): CommandResult {
  const { error, status, stdout, stderr } = spawnSync(process.env.HELM ?? unpackTool('helm'), args, {
    encoding: 'utf8',
    input: input ?? '',
    maxBuffer: 64 * 2 ** 20,
    env: { ...process.env, ...(kubeconfig !== undefined && { KUBECONFIG: kubeconfig }) },
  });
  if (error) throw error;
  return { code: status ?? -1, stdout, stderr };
}

/** Runs Helm and returns its standard output. Throws an Error with what it said when it exits with another code than 0. */
export function helm(args: readonly string[], options: HelmOptions = {}): string {
  const { code, stdout, stderr } = tryHelm(args, options);
  if (code !== 0) throw new Error(`helm ${args.join(' ')} exited with ${code}: ${stderr.trim()}`);
  return stdout;
}
