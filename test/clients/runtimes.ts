import { join } from 'node:path';
import type { Program } from './programs.ts';
import { PROGRAMS_FOLDER } from './programs.ts';

/** What to run for a program: a file and its arguments. Installs what it needs. */
export async function commandOf(program: Program, _signal: AbortSignal): Promise<readonly string[]> {
  const file = join(PROGRAMS_FOLDER, program.file ?? '');
  return program.runtime === 'node' ? [process.execPath, file] : ['sh', file];
}
