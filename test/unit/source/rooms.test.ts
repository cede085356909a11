/** Who may import whom (hack/rooms.ts), in the code and in docs/architecture.md; and how large a file may be. */
import { globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { EXCEPTIONS, ROOMS } from '../../../hack/rooms.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const rooms = Object.keys(ROOMS);
const files = globSync('{operator,hack,test}/**/*.{ts,mjs}', { cwd: root });
const imports = new Map(files.map((file) => [file, importsOf(file)]));

/** What a file imports of this repository, types included. */
function importsOf(file: string): string[] {
  const source = readFileSync(join(root, file), 'utf8');
  const found = source.matchAll(/^(?:import|export|\} from|.*\bimport\().*?'(\.{1,2}\/[^']+)'/gm);
  return [...found].map(([, path = '']) => normalize(join(dirname(file), path)));
}

function roomOf(file: string): string {
  const inside = rooms.filter((room) => file.startsWith(`${room}/`));
  return inside.sort((a, b) => b.length - a.length)[0] ?? `no room: ${file}`;
}

function mayImport(from: string, to: string): boolean {
  return from === to || (ROOMS[from] ?? []).some((arrow) => arrow === to || isAnyOf(arrow, to));
}

function isAnyOf(arrow: string, room: string): boolean {
  return arrow.endsWith('/*') && room.startsWith(arrow.slice(0, -1));
}

test('imports follow the arrows', () => {
  const against = [...imports].flatMap(([file, targets]) =>
    targets.filter((to) => !mayImport(roomOf(file), roomOf(to))).map((to) => `${file} -> ${to}`),
  );
  expect([...new Set(against)].sort()).toEqual(Object.keys(EXCEPTIONS).sort());
});

test('arrows point to what stands above', () => {
  const wrong = rooms.flatMap((from, at) =>
    (ROOMS[from] ?? [])
      .flatMap((arrow) => (arrow.endsWith('/*') ? rooms.filter((room) => isAnyOf(arrow, room)) : [arrow]))
      .filter((to) => !rooms.slice(0, at).includes(to))
      .map((to) => `${from} -> ${to}`),
  );
  expect(wrong).toEqual([]);
});

test('no file imports itself by way of others', () => {
  const left = new Set(files);
  for (let size = 0; size !== left.size; ) {
    size = left.size;
    for (const file of left) if (!imports.get(file)?.some((to) => left.has(to))) left.delete(file);
  }
  // What is left imports a cycle or is in one.
  expect([...left]).toEqual([]);
});

test('the table in docs/architecture.md says the same', () => {
  const text = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const rows = text.matchAll(/^\| `((?:operator|hack|test)[^`]*)`\s*\|[^|]*\|([^|]*)\|$/gm);
  const table = [...rows].map(([, room = '', cell = '']) => [
    room,
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) =>
      name.includes('/') || name === 'hack' ? name : `operator/${name}`,
    ),
  ]);
  expect(table).toEqual(Object.entries(ROOMS));
});

test('no file is larger than 16 kB', () => {
  const large = globSync('{operator,hack,test}/**/*.{ts,mjs,lua,conf,sh}', { cwd: root }).filter(
    (file) => statSync(join(root, file)).size > 16_000,
  );
  expect(large).toEqual([]);
});
