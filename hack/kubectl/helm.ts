import { type CommandOptions, type CommandResult, runCommand } from './run-command.ts';
import { unpackTool } from './unpack-tool.ts';

/** Runs Helm 4, or the one that `HELM` in the environment names, and returns what it printed, whatever its exit code. */
export async function tryHelm(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return await runCommand(process.env.HELM ?? unpackTool('helm'), args, options);
}

/** Runs Helm and returns its standard output. Throws an Error with what it said when it exits with another code than 0. */
export async function helm(args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await tryHelm(args, options);
  if (code !== 0) throw new Error(`helm ${args.join(' ')} exited with ${code}: ${stderr.trim()}`);
  return stdout;
}
