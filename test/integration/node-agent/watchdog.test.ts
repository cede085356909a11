import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const PARENT = fileURLToPath(new URL('./support/orphan-parent.ts', import.meta.url));

/** Ids of the processes in a process group, zombies left out. */
function processesOf(group: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return Number(pgrp) === group && state !== 'Z';
      } catch {
        return false;
      }
    });
}

test('nothing is left when the process that runs the pods is killed with SIGKILL', async () => {
  const parent = spawn(process.execPath, [PARENT], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(parent.stdout), 'line')) as [string];
  const { directory, pids } = JSON.parse(line) as { directory: string; pids: [number, number] };
  // The shell and the sleep that it has started.
  await expect.poll(() => processesOf(pids[1]).length).toBe(2);

  parent.kill('SIGKILL');

  await expect.poll(() => pids.flatMap(processesOf)).toEqual([]);
  await expect.poll(() => existsSync(directory)).toBe(false);
});
