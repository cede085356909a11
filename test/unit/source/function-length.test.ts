/** A function fits on a screen: at most 60 lines from its first to its last, comments and blank lines included. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodes, treeOf } from './support/syntax-tree.ts';

const MAX_LINES = 60;
const root = join(import.meta.dirname, '../../..');

interface Span {
  /** First line, from 1. */
  line: number;
  lines: number;
}

function functionsOf(source: string): Span[] {
  return [...nodes(treeOf(source))]
    .filter(({ type }) => /Function/.test(type))
    .map(({ start, end }) => ({
      line: source.slice(0, start).split('\n').length,
      lines: source.slice(start, end).split('\n').length,
    }));
}

/** The last line of a Lua function of several lines has the indentation of its first. */
function luaFunctionsOf(source: string): Span[] {
  const lines = source.split('\n');
  return lines.flatMap((text, at) => {
    if (!/\bfunction\b[^()]*\([^()]*\)\s*$/.test(text.replace(/--.*/, ''))) return [];
    const indent = /^ */.exec(text)?.[0] ?? '';
    const last = lines.findIndex((line, index) => index > at && line.startsWith(`${indent}end`));
    return [{ line: at + 1, lines: last - at + 1 }];
  });
}

test.each([
  ['operator/**/*.ts', functionsOf],
  ['operator/**/*.lua', luaFunctionsOf],
])('no function of %s is longer than 60 lines', (pattern, spans) => {
  const found = globSync(pattern, { cwd: root }).flatMap((file) =>
    spans(readFileSync(join(root, file), 'utf8')).map((span) => ({ file, ...span })),
  );
  expect(found.length).toBeGreaterThan(100);
  const long = found.filter(({ lines }) => lines > MAX_LINES || lines < 1);
  expect(long.map(({ file, line, lines }) => `${file}:${line} has ${lines} lines`)).toEqual([]);
});
