/** Syntax trees of the sources. Positions are those of the file. */
import { stripTypeScriptTypes } from 'node:module';
import { parseAst } from 'vitest/node';

export type Node = Record<string, unknown> & { type: string; start: number; end: number };

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}

/** A node of a syntax tree and all below it. */
export function* nodes(node: Node): Generator<Node> {
  yield node;
  for (const child of Object.values(node).flat()) if (isNode(child)) yield* nodes(child);
}

export function treeOf(source: string): Node {
  return parseAst(stripTypeScriptTypes(source)) as unknown as Node;
}
