import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Program } from './programs.ts';
import type { World } from './world.ts';

/**
 * Runs a program against a router. Throws with its output when it fails, and when it asks all models but the one that
 * sleeps was not woken, or the one that is busy refused nobody: it did not try again then, as its library should.
 */
export async function runProgram(
  program: Program,
  command: readonly string[],
  world: World,
  signal: AbortSignal,
): Promise<string> {
  let output = '';
  const behaviour = await world.during(async (ends) => {
    const [file = '', ...args] = command;
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        LITELLM_LOCAL_MODEL_COST_MAP: 'True',
        ...world.environment(),
      },
      signal: ends,
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const [code, killed] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    if (code !== 0) throw new Error(`${program.name} ended with ${code ?? killed}:\n${output}`);
  }, signal);
  if (program.asksAll && !(behaviour.woke && behaviour.refused)) {
    throw new Error(
      `${program.name} ended well, but not as it should: ${JSON.stringify(behaviour)}\n${output}`,
    );
  }
  return output;
}
