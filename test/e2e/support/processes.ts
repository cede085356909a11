/** The processes behind pods, as the kernel sees them. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ProcessInfo {
  pid: number;
  parent: number;
  /** Words of the command line, joined by spaces; a program may have changed it to its title. */
  command: string;
  workingDirectory: string;
  environment: string[];
}

/** Every process of this machine that can be looked at. Those that end meanwhile are left out. */
function allProcesses(): ProcessInfo[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const path = `/proc/${name}`;
        const stat = readFileSync(`${path}/stat`, 'utf8');
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        if (state === 'Z') return [];
        return [
          {
            pid: Number(name),
            parent: Number(parent),
            command: words(`${path}/cmdline`).join(' ').trim(),
            workingDirectory: readlinkSync(`${path}/cwd`),
            environment: words(`${path}/environ`),
          },
        ];
      } catch {
        return [];
      }
    });
}

function words(file: string): string[] {
  return readFileSync(file, 'utf8').split('\0');
}

/** The processes of a pod: those that were started under its host name, and their descendants. */
export function processesOfPod(name: string): ProcessInfo[] {
  const all = allProcesses();
  const found = new Set(all.filter(({ environment }) => environment.includes(`HOSTNAME=${name}`)));
  for (const parent of found) {
    for (const process of all) if (process.parent === parent.pid) found.add(process);
  }
  return [...found];
}

/** Processes that work in a directory or name it in their command, this process aside. */
export function processesUnder(directory: string): ProcessInfo[] {
  return allProcesses().filter(
    ({ pid, command, workingDirectory }) =>
      pid !== process.pid && (command.includes(directory) || workingDirectory.startsWith(directory)),
  );
}

/** Process ids of the nginx workers of a router pod, in order. A reload replaces them. */
export function nginxWorkers(pod: string): number[] {
  return processesOfPod(pod)
    .filter(({ command }) => command.startsWith('nginx: worker process'))
    .map(({ pid }) => pid)
    .sort((a, b) => a - b);
}
