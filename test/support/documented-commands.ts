/** The commands of every shell block in the documentation, and its programs in TypeScript. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A file of the repository, by its path in it. */
export const inRepository = (path: string): string => join(ROOT, path);

export interface Command {
  /** Path below the root of the repository. */
  page: string;
  /** Of its first line, from 1. */
  line: number;
  /** Without comment. Continued lines, quoted texts and loops are one command. */
  text: string;
  comment: string;
  /** What it prints, if a block of the language `text` comes next. */
  output?: string;
}

const SHELLS = ['sh', 'bash', 'shell', 'console'];

/** Markdown that people read, with that of the chart, and the examples. */
export function documentationPages(): string[] {
  const below = (folder: string) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  const markdown = [...readdirSync(ROOT), ...['docs', 'charts', 'examples'].flatMap(below)].filter((name) =>
    name.endsWith('.md'),
  );
  return [...markdown, ...below('examples').filter((name) => name.endsWith('.yaml'))].sort();
}

/** Commands, or the beginnings of some, that the text of a page names. */
export function commandsInProse(page: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8').replaceAll(/^ *```.*?^ *```$/gms, '');
  const spans = text.matchAll(/`((?:kubectl|helm|npx vllm-operator|npm run) [^`\n]+)`/g);
  return [...spans].map(([, command = '']) => command);
}

/**
 * All commands of a page, in the order in which a reader comes to them. Snippets of programs are left out:
 * `npm run generate` copies them, and test/clients runs the programs.
 */
export function commandsOf(page: string): Command[] {
  const lines = readFileSync(join(ROOT, page), 'utf8').split('\n');
  if (page.endsWith('.yaml')) return inComments(lines, page);
  const commands: Command[] = [];
  for (let at = 0; at < lines.length; at++) {
    const language = /^ *```(\w*)$/.exec(lines[at] ?? '')?.[1];
    if (language === undefined) continue;
    const end = lines.findIndex((line, index) => index > at && /^ *```$/.test(line));
    if (end < 0) throw new Error(`${page}:${at + 1}: the block has no end`);
    const copied = lines[at - 2]?.startsWith('<!-- snippet: ');
    const block = lines.slice(at + 1, end);
    if (SHELLS.includes(language) && !copied) commands.push(...split(block, page, at + 2));
    if (language === 'ts' && !copied)
      commands.push({ page, line: at + 2, text: program(block), comment: '' });
    at = end;
    const last = commands.at(-1);
    if (lines[end + 2] === '```text' && last && SHELLS.includes(language)) {
      const until = lines.indexOf('```', end + 3);
      commands.splice(-1, 1, { ...last, output: lines.slice(end + 3, until).join('\n') });
    }
  }
  return commands;
}

/** TypeScript as a command that runs it. */
const program = (lines: readonly string[]): string =>
  ['node --input-type=module-typescript <<"END"', ...lines, 'END'].join('\n');

/** In the comments of a manifest commands are indented. */
function inComments(lines: readonly string[], page: string): Command[] {
  return lines.flatMap((line, index) => {
    const text = /^# {3}(\S.*)$/.exec(line)?.[1];
    return text === undefined ? [] : [{ page, line: index + 1, text, comment: '' }];
  });
}

function split(lines: readonly string[], page: string, first: number): Command[] {
  const commands: Command[] = [];
  let text = '';
  let start = first;
  for (const [index, line] of lines.entries()) {
    if (text === '') start = first + index;
    text += `${line}\n`;
    const { code, comment, open } = scan(text);
    if (open) continue;
    if (code !== '') commands.push({ page, line: start, text: code, comment });
    text = '';
  }
  if (text !== '') throw new Error(`${page}:${start}: the command has no end: ${text}`);
  return commands;
}

/** Separates a command from its comment. `open`: whether the shell would wait for more lines. */
function scan(text: string): { code: string; comment: string; open: boolean } {
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? '';
    if (letter === '\\' && quote !== "'") at++;
    else if (quote !== '') quote = letter === quote ? '' : quote;
    else if (letter === '"' || letter === "'") quote = letter;
    else if (letter === '#' && /^$|\s/.test(text[at - 1] ?? '')) {
      const end = text.indexOf('\n', at);
      const comment = text.slice(at + 1, end).trim();
      return { code: text.slice(0, at).trim(), comment, open: false };
    }
  }
  const loop = /^\s*(?:for|while|until|if)\b/.test(text) && !/^\s*(?:done|fi)\b/m.test(text);
  return { code: text.trim(), comment: '', open: quote !== '' || loop || /\\\n$/.test(text) };
}
