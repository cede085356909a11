/** Commands that sentences of the documentation name, often without what a block would have: their options are those of the tools. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { helm } from '../../../hack/kubectl/helm.ts';
import { kubectlPath } from '../../../hack/kubectl/kubectl.ts';
import { runCommand } from '../../../hack/kubectl/run-command.ts';
import { commandsInProse, documentationPages, inRepository } from '../../support/documented-commands.ts';

/** What a tool says of a command and its options. */
const HELP: Readonly<Record<string, (command: string) => Promise<string>>> = {
  kubectl: async (command) => {
    const outputs = [[command, '--help'], ['options']].map((args) => runCommand(kubectlPath(), args, {}));
    return (await Promise.all(outputs)).map(({ stdout }) => stdout).join('');
  },
  helm: (command) => helm([command, '--help']),
  'npx vllm-operator': async (command) =>
    (await runCommand(process.execPath, [inRepository('operator/main.ts'), command, '--help'], {})).stdout,
};

/** What is named of each command of each tool. */
const named = new Map<string, string[]>();
for (const text of new Set(documentationPages().flatMap(commandsInProse))) {
  const [, command, rest = ''] = /^((?:kubectl|helm|npx vllm-operator) [a-z]\S*)(.*)$/.exec(text) ?? [];
  if (command !== undefined) named.set(command, [...(named.get(command) ?? []), rest]);
}

it('commands of all tools are named', () => {
  const tools = [...named.keys()].map((command) => command.slice(0, command.lastIndexOf(' ')));
  expect(new Set(tools)).toEqual(new Set(Object.keys(HELP)));
});

it.each([...named])('%s has what is named', async (command, rests) => {
  const space = command.lastIndexOf(' ');
  const help = (await HELP[command.slice(0, space)]?.(command.slice(space + 1))) ?? '';
  expect(help).toMatch(new RegExp(`^ *usage:?\\s.*\\b${command.slice(space + 1)}\\b`, 'ims'));
  const options = rests.flatMap((rest) =>
    [...rest.matchAll(/ (--?[a-z][\w-]*)/g)].map(([, option = '']) => option),
  );
  expect(options.filter((option) => !new RegExp(`(?:^|[\\s,])${option}\\b`, 'm').test(help))).toEqual([]);
});

it.each([
  ['docs/operations.md', 'run', ['--kubeconfig', '--context']],
  ['docs/how-to/api-keys.md', 'key create', ['--name', '--namespace']],
])('the table of %s has the options of %s', async (page, command, elsewhere) => {
  const { stdout } = await runCommand(
    process.execPath,
    [inRepository('operator/main.ts'), ...command.split(' '), '--help'],
    {},
  );
  const has = [...stdout.matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)].map(([, option = '']) => option);
  const rows = readFileSync(inRepository(page), 'utf8').matchAll(/^\| `(--[a-z-]+)/gm);
  const told = [...rows].map(([, option = '']) => option);
  expect([...told, ...elsewhere, '--help'].sort()).toEqual(has.sort());
});
