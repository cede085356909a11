/** Checks imports against hack/folders.ts, the table in docs/architecture.md, and the size of files. */
import { globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { FOLDERS } from '../../../hack/folders.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folders = Object.keys(FOLDERS);
const files = globSync('{operator,hack,test}/**/*.{ts,mjs}', { cwd: root });
const imports = new Map(files.map((file) => [file, importsOf(file)]));

/** The files of this repository that a file imports, including type imports. */
function importsOf(file: string): string[] {
  const source = readFileSync(join(root, file), 'utf8');
  const found = source.matchAll(/^(?:import|export|\} from|.*\bimport\().*?'(\.{1,2}\/[^']+)'/gm);
  return [...found].map(([, path = '']) => normalize(join(dirname(file), path)));
}

function folderOf(file: string): string {
  const inside = folders.filter((folder) => file.startsWith(`${folder}/`));
  return inside.sort((a, b) => b.length - a.length)[0] ?? `no folder: ${file}`;
}

function mayImport(from: string, to: string): boolean {
  return from === to || (FOLDERS[from] ?? []).some((allowed) => allowed === to || isAnyOf(allowed, to));
}

function isAnyOf(allowed: string, folder: string): boolean {
  return allowed.endsWith('/*') && folder.startsWith(allowed.slice(0, -1));
}

test('imports are allowed', () => {
  const forbidden = [...imports].flatMap(([file, targets]) =>
    targets.filter((to) => !mayImport(folderOf(file), folderOf(to))).map((to) => `${file} -> ${to}`),
  );
  expect([...new Set(forbidden)]).toEqual([]);
});

test('a folder may only import folders above it', () => {
  const wrong = folders.flatMap((from, at) =>
    (FOLDERS[from] ?? [])
      .flatMap((allowed) =>
        allowed.endsWith('/*') ? folders.filter((folder) => isAnyOf(allowed, folder)) : [allowed],
      )
      .filter((to) => !folders.slice(0, at).includes(to))
      .map((to) => `${from} -> ${to}`),
  );
  expect(wrong).toEqual([]);
});

test('there are no import cycles', () => {
  const left = new Set(files);
  for (let size = 0; size !== left.size; ) {
    size = left.size;
    for (const file of left) if (!imports.get(file)?.some((to) => left.has(to))) left.delete(file);
  }
  // The rest is in a cycle or imports one.
  expect([...left]).toEqual([]);
});

test('the table in docs/architecture.md is the same', () => {
  const text = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const rows = text.matchAll(/^\| `((?:operator|hack|test)[^`]*)`\s*\|[^|]*\|([^|]*)\|$/gm);
  const table = [...rows].map(([, folder = '', cell = '']) => [
    folder,
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) =>
      name.includes('/') || name === 'hack' ? name : `operator/${name}`,
    ),
  ]);
  expect(table).toEqual(Object.entries(FOLDERS));
});

test('no file is larger than 16 kB', () => {
  const large = globSync('{operator,hack,test}/**/*.{ts,mjs,lua,conf,sh}', { cwd: root }).filter(
    (file) => statSync(join(root, file)).size > 16_000,
  );
  expect(large).toEqual([]);
});
