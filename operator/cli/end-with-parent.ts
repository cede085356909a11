import { readFileSync } from 'node:fs';

/** How often the parent processes are checked. */
const INTERVAL_MS = 1_000;

/**
 * Calls `end` once when the npm process that started this one has exited. `npx` does not forward signals, so the command
 * would otherwise keep running. Only used under npm, because a process started with nohup has to outlive its parent.
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

/** Process ids of the shell in which npm runs commands and, if the system provides it, of npm itself. */
function parents(): string {
  const shell = process.ppid;
  try {
    return `${shell} ${/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${shell}/status`, 'utf8'))?.[1]}`;
  } catch {
    return String(shell);
  }
}
