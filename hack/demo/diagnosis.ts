import type { Shell } from './shell.ts';

/** Why a step failed: models, pods, warnings, and the last lines of the engines. */
const QUESTIONS: readonly (readonly string[])[] = [
  ['get', 'vpool,vmodel,pods', '-A'],
  [
    'get',
    'vmodel',
    '-A',
    '-o',
    'jsonpath={range .items[*]}{.metadata.name}: {.status.conditions[?(@.type=="Ready")].message}{"\\n"}{end}',
  ],
  ['get', 'events', '-A', '--field-selector', 'type=Warning', '--sort-by', '.lastTimestamp'],
];
const LOG_LINES = 30;

/** Text for a terminal. A question that fails says so itself. */
export async function diagnosis(shell: Shell): Promise<string> {
  const parts: string[] = [];
  for (const question of [...QUESTIONS, ...(await logsOfEngines(shell))])
    parts.push(await shell.show(...question).catch((error: Error) => error.message));
  return parts.join('\n');
}

async function logsOfEngines(shell: Shell): Promise<string[][]> {
  const columns = 'jsonpath={range .items[*]}{.metadata.namespace} {.metadata.name}{"\\n"}{end}';
  const label = 'app.kubernetes.io/component=engine';
  const pods = await shell.run('get', 'pods', '-A', '-l', label, '-o', columns).catch(() => '');
  return pods
    .split('\n')
    .map((line) => line.split(' '))
    .filter((words) => words.length === 2)
    .map(([namespace = '', name = '']) => ['logs', '-n', namespace, name, `--tail=${LOG_LINES}`]);
}
