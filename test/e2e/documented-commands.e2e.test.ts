/**
 * Every command of a shell block in the documentation runs here, page by page and in the order of the page, in one cluster.
 * test/support/commands-not-run.ts names those that cannot.
 */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isRun } from '../support/commands-not-run.ts';
import {
  type Command,
  commandsOf,
  documentationPages,
  inRepository,
} from '../support/documented-commands.ts';
import { adapted, PREPARATIONS, savedFiles, situationOf } from './support/documented-cluster.ts';
import { operatorImage } from './support/operator-image.ts';
import { describe, type Outcome, runPage, type Step } from './support/page-session.ts';
import { commandShims } from './support/reader-tools.ts';
import { World } from './support/world.ts';

/** A reader installs, then follows the other pages, and removes everything at the end. */
const FIRST = ['README.md', 'docs/getting-started.md'];
const LAST = 'docs/how-to/install.md';
const OTHERS = documentationPages().filter(
  (page) => page !== LAST && !FIRST.includes(page) && commandsOf(page).some(isRun),
);

/** Nothing of the kind has happened here, so that nothing is printed. */
const MAY_BE_EMPTY = [
  /--field-selector reason=/,
  /describe resourcequota/,
  /^export /,
  /^version=/,
  /certificates\.cert-manager\.io/,
  / > \S+ 2>/,
  /&$/,
];

let world: World;
let directory: string;
let env: Record<string, string>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'documentation-test-'));
  for (const name of [
    'charts',
    'crds',
    'docs',
    'examples',
    'hack',
    'manifests',
    'operator',
    'test',
    'node_modules',
  ])
    await symlink(inRepository(name), join(directory, name));
  await symlink(inRepository('package.json'), join(directory, 'package.json'));
  world = await World.start({ images: [operatorImage], install: async () => {} });
  const bin = join(directory, '.bin');
  await mkdir(bin);
  await commandShims(bin);
  env = {
    PATH: `${bin}:${process.env.PATH ?? ''}`,
    KUBECONFIG: world.cluster.kubeconfigPath,
    HOME: directory,
  };
  await writeFile(join(directory, 'others.yaml'), PREPARATIONS.definitions);
  await world.kubectl('apply', '-f', join(directory, 'others.yaml'));
});
afterAll(async () => {
  await world?.close();
  await rm(directory, { recursive: true, force: true });
});

function stepsOf(command: Command): Step[] {
  const step = { ...command, script: adapted(command) };
  const situation = situationOf(command);
  return situation === undefined ? [step] : [{ ...step, script: situation }, step];
}

function says({ step: { page, line, comment, script, output }, stdout }: Outcome): string[] {
  const where = `${page}:${line}`;
  const column = /^the column (\w+)/.exec(comment)?.[1];
  return [
    ...(stdout.trim() === '' && !MAY_BE_EMPTY.some((pattern) => pattern.test(script))
      ? [`${where} prints nothing`]
      : []),
    ...(output !== undefined && stdout.trim() !== output.trim() ? [`${where} prints something else`] : []),
    ...(comment === 'no' && stdout.trim() !== 'no' ? [`${where} does not print no`] : []),
    ...(column !== undefined && !stdout.split('\n')[0]?.includes(column)
      ? [`${where} has no column ${column}`]
      : []),
  ];
}

async function read(page: string): Promise<void> {
  for (const [name, text] of Object.entries(savedFiles(page))) await writeFile(join(directory, name), text);
  const before = PREPARATIONS.before[page];
  if (before !== undefined)
    await runPage([{ page, line: 0, comment: '', script: before }], { cwd: directory, env });
  const outcomes = await runPage(commandsOf(page).filter(isRun).flatMap(stepsOf), { cwd: directory, env });
  expect(outcomes.flatMap(says), outcomes.map(describe).join('\n')).toEqual([]);
}

it.each(FIRST)('%s', async (page) => {
  await read(page);
});

it('the cluster is then as the other pages have it', async () => {
  await writeFile(join(directory, 'more.yaml'), PREPARATIONS.objects);
  await runPage([{ page: 'setup', line: 0, comment: '', script: PREPARATIONS.script }], {
    cwd: directory,
    env,
  });
});

it.each(OTHERS)('%s', async (page) => {
  await read(page);
});

it('docs/how-to/install.md', async () => {
  await read(LAST);
});
