/** Whatever tenants, clients and engines write is matched against regular expressions: none may take quadratic time. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSafe } from 'redos-detector';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { isNode, type Node, nodes, treeOf } from './support/syntax-tree.ts';

const root = join(import.meta.dirname, '../../..');
const files = globSync('operator/**/*.ts', { cwd: root }).sort();

/** Regular expressions that are written out. */
function literals(tree: Node): RegExp[] {
  return [...nodes(tree)].flatMap(({ type, regex }) => {
    if (type !== 'Literal' || regex === undefined) return [];
    const { pattern, flags } = regex as { pattern: string; flags: string };
    return [new RegExp(pattern, flags)];
  });
}

/** Whether the file puts regular expressions together. */
function composes(tree: Node): boolean {
  return [...nodes(tree)].some(
    ({ type, callee }) =>
      (type === 'NewExpression' || type === 'CallExpression') &&
      isNode(callee) &&
      callee.type === 'Identifier' &&
      callee.name === 'RegExp',
  );
}

function unsafe(expressions: readonly RegExp[]): string[] {
  return expressions.filter((expression) => !isSafe(expression).safe).map(String);
}

const trees = new Map(files.map((file) => [file, treeOf(readFileSync(join(root, file), 'utf8'))]));

describe('regular expressions written out take linear time', () => {
  const having = files.filter((file) => literals(trees.get(file) as Node).length > 0);

  it.each(having)('in %s', (file) => {
    expect(unsafe(literals(trees.get(file) as Node))).toEqual([]);
  });
});

describe('regular expressions put together take linear time', () => {
  const composed: RegExp[] = [];
  const Original = globalThis.RegExp;
  const having = files.filter((file) => composes(trees.get(file) as Node));

  beforeAll(() => {
    globalThis.RegExp = class extends Original {
      constructor(pattern: RegExp | string, flags?: string) {
        super(pattern, flags);
        composed.push(new Original(pattern, flags));
      }
    } as RegExpConstructor;
  });
  afterAll(() => {
    globalThis.RegExp = Original;
  });

  it.each(having)('in %s, once, when it is loaded', async (file) => {
    composed.length = 0;
    // Another file may have loaded it before.
    vi.resetModules();
    await import(join(root, file));
    expect(composed.length).toBeGreaterThan(0);
    expect(unsafe(composed)).toEqual([]);
  });
});
