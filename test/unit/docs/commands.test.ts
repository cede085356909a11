/** Commands in the documentation that no test can run name only what is there; test/e2e/documented-commands runs the others. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { benchCommand } from '../../../operator/cli/bench-command.ts';
import { isRun, NOT_RUN } from '../../support/commands-not-run.ts';
import {
  type Command,
  commandsInProse,
  commandsOf,
  documentationPages,
  inRepository,
} from '../../support/documented-commands.ts';

const commands = documentationPages().flatMap(commandsOf);
const prose = [...new Set(documentationPages().flatMap(commandsInProse))];
const notRun = commands.filter((command) => !isRun(command));
const where = ({ page, line, text }: Command): string => `${page}:${line}: ${text}`;
const matching = (pattern: RegExp): [Command, string][] =>
  notRun.flatMap((command) => {
    const found = pattern.exec(command.text)?.[1];
    return found === undefined ? [] : [[command, found]];
  });

it('options of bench are those that it has', () => {
  const { options } = benchCommand(
    { write() {}, fail() {}, signal: AbortSignal.abort(), isTerminal: false, env: {} },
    () => {},
  );
  const known = new Set(options.flatMap(({ long, short }) => [long, short]));
  const benches = commands.filter(({ text }) => text.startsWith('npx vllm-operator bench '));
  expect(benches.length).toBeGreaterThan(1);
  for (const { text } of benches)
    for (const [, flag] of text.matchAll(/ (--?[a-z][a-z-]*)/g)) expect([...known], text).toContain(flag);
});

it('there are commands', () => {
  expect(commands.length).toBeGreaterThan(100);
});

it.each(NOT_RUN.map(({ command, why }) => ({ command, why })))(
  '$command is in the documentation',
  ({ command, why }) => {
    expect(commands.some(({ text }) => command.test(text))).toBe(true);
    for (const [file] of why.matchAll(/(?:e2e|integration)\/\S+\.test\.ts/g))
      expect(existsSync(inRepository(`test/${file}`)), file).toBe(true);
  },
);

it('images are built from stages of the Dockerfile, and pushed by the name that they were built with', () => {
  const stages = [...readFileSync(inRepository('Dockerfile'), 'utf8').matchAll(/^FROM .* AS (\w+)$/gim)].map(
    ([, name]) => name,
  );
  const built = matching(/^docker build --target (\w+) (?:-t|--tag) \S+ \.$/);
  expect(built.length).toBe(notRun.filter(({ text }) => text.startsWith('docker build')).length);
  expect(built.filter(([, stage]) => !stages.includes(stage)).map(([command]) => where(command))).toEqual([]);
  const names = new Set(
    notRun.flatMap(({ text }) => /^docker build .*(?:-t|--tag) (\S+)/.exec(text)?.[1] ?? []),
  );
  expect(
    matching(/^docker push (\S+)/)
      .filter(([, name]) => !names.has(name))
      .map(([command]) => where(command)),
  ).toEqual([]);
});

it('the certificates that cosign asks for are those of the workflow', () => {
  const identities = matching(
    /--certificate-identity "https:\/\/github\.com\/vllm-operator\/vllm-operator\/(\S+)@/,
  );
  expect(identities.length).toBe(matching(/(cosign verify)/).length);
  for (const [, workflow] of identities) expect(existsSync(inRepository(workflow)), workflow).toBe(true);
});

it.each([
  [
    'bench',
    /^npm run bench -- (\w+)/,
    (name: string) => existsSync(inRepository(`test/bench/${name}/main.ts`)),
  ],
  [
    'conformance',
    /^npm run conformance -- (\w+)/,
    (name: string) =>
      readFileSync(inRepository('test/conformance/main.ts'), 'utf8').includes(`command === '${name}'`),
  ],
])('npm run %s takes the name', (_, pattern, known) => {
  const named = matching(pattern);
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter(([, name]) => !known(name)).map(([command]) => where(command))).toEqual([]);
});

const { scripts } = JSON.parse(readFileSync(inRepository('package.json'), 'utf8')) as { scripts: object };

it('npm runs scripts that package.json has', () => {
  const named = matching(/^npm (?:run )?(?!ci$)([\w:-]+)/);
  expect(named.filter(([, name]) => !(name in scripts)).map(([command]) => where(command))).toEqual([]);
});

it('scripts are files', () => {
  const files = matching(/^(hack\/\S+)$/);
  expect(
    files.filter(([, file]) => !existsSync(inRepository(file))).map(([command]) => where(command)),
  ).toEqual([]);
});

describe('commands in sentences', () => {
  const npm = (pattern: RegExp) => [...new Set(prose.flatMap((text) => pattern.exec(text)?.[1] ?? []))];

  it('npm runs scripts and measurements that are there', () => {
    const names = npm(/^npm run ([\w:-]+)/);
    expect(names.length).toBeGreaterThan(3);
    expect(names.filter((name) => !(name in scripts))).toEqual([]);
    const measurements = npm(/^npm run bench -- (\w+)/);
    expect(measurements.filter((name) => !existsSync(inRepository(`test/bench/${name}/main.ts`)))).toEqual(
      [],
    );
  });
});
