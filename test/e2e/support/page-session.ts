/** Runs the commands of one page of the documentation in one shell, as a reader would. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Command } from '../../support/documented-commands.ts';
import { CLUSTER_PATIENCE } from '../../support/patience.ts';

/** A documented command, and what the shell is given for it. */
export interface Step extends Pick<Command, 'page' | 'line' | 'comment' | 'output'> {
  script: string;
}

export interface Outcome {
  step: Step;
  stdout: string;
  stderr: string;
}

/** How long the commands of a page may take. */
const PAGE_PATIENCE_SECONDS = 3 * (CLUSTER_PATIENCE.timeout / 1000);

/** Separates the output of commands: no command prints this character. */
const MARK = '\u001e';

/** What the page says of a command: that the answer is `no`, which kubectl also tells by its exit code. */
const refused = ({ comment }: Step): boolean => comment === 'no';

function scriptOf(steps: readonly Step[]): string {
  const lines = steps.map((step) => {
    const { script } = step;
    const run = refused(step) ? `if ${script}; then exit 64; fi` : script;
    return `printf '${MARK}'; printf '${MARK}' >&2\n${run}\n${script.endsWith('&') ? 'background+=($!)' : ''}`;
  });
  return [
    'set -eo pipefail',
    'background=()',
    'trap \'for pid in "${background[@]}"; do kill "$pid"; wait "$pid"; done || true\' EXIT',
    ...lines,
    // What a page starts in the background has to run until its end.
    'for pid in "${background[@]}"; do kill -0 "$pid"; done',
  ].join('\n');
}

/** What each command printed. Throws an Error with page, line and output of the first that fails. */
export async function runPage(
  steps: readonly Step[],
  { cwd, env }: { cwd: string; env: Record<string, string> },
): Promise<Outcome[]> {
  // With all that it started: a test that is given up says nothing of the command that does not end.
  const limit = String(PAGE_PATIENCE_SECONDS);
  const child = spawn('timeout', [limit, 'bash', '-c', scriptOf(steps)], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  const [outputs, errors] = [stdout, stderr].map((text) => text.split(MARK).slice(1)) as [string[], string[]];
  const outcomes = outputs.map((output, index) => ({
    step: steps[index] as Step,
    stdout: output,
    stderr: errors[index] ?? '',
  }));
  if (code !== 0) throw new Error(`exit code ${code} (124: not in time): ${describe(outcomes.at(-1))}`);
  return outcomes;
}

export function describe(outcome: Outcome | undefined): string {
  if (outcome === undefined) return 'no command ran';
  const { step, stdout, stderr } = outcome;
  return `${step.page}:${step.line}\n${step.script}\n${stdout}\n${stderr}`;
}
