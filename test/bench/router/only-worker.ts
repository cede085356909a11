import { readFile } from 'node:fs/promises';

/** Process id of the only worker of an nginx, by the file with its master's. */
export async function onlyWorker(pidFile: string): Promise<number> {
  const master = (await readFile(pidFile, 'utf8')).trim();
  return Number((await readFile(`/proc/${master}/task/${master}/children`, 'utf8')).trim().split(' ')[0]);
}
