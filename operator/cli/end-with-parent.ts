import { readFileSync } from 'node:fs';

/** How often the parents are looked at. */
const INTERVAL_MS = 1_000;

/**
 * Calls `end` once when the npm process that started this one is gone. `npx` passes no signal on, so that killing it would
 * leave the command running. Only under npm: a process that a shell starts with nohup outlives its parent on purpose.
 */
export function endWithParent(env: NodeJS.ProcessEnv, end: () => void): void {
  if (env.npm_command === undefined) return;
  const started = parents();
  const timer = setInterval(() => {
    if (parents() === started) return;
    clearInterval(timer);
    end();
  }, INTERVAL_MS);
  timer.unref();
}

/** The process ids of the shell that npm starts commands with and, where the system tells, of npm itself. */
function parents(): string {
  const shell = process.ppid;
  try {
    return `${shell} ${/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${shell}/status`, 'utf8'))?.[1]}`;
  } catch {
    return String(shell);
  }
}
