/** Code of the documentation that comes from programs which tests run. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

const PAGES = ['docs/how-to/clients.md'];

/** A comment that names a file and a part of it, and the block of code behind it. */
const PLACE = /^<!-- snippet: (\S+) (\S+) -->\n\n```(\w+)\n.*?^```$/gms;

/** The pages that show code of programs, with that code as it is. Throws an Error that names a part which is not there. */
export async function snippetFiles(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const page of PAGES) {
    const text = await readFile(join(root, page), 'utf8');
    const sources = new Map<string, string>();
    for (const [, file = ''] of text.matchAll(PLACE)) {
      sources.set(file, await readFile(join(root, file), 'utf8'));
    }
    const filled = text.replaceAll(PLACE, (_, file: string, part: string, language: string) => {
      const code = snippet(sources.get(file) ?? '', part);
      if (code === undefined) throw new Error(`${page}: ${file} has no snippet ${part}`);
      return `<!-- snippet: ${file} ${part} -->\n\n\`\`\`${language}\n${code}\n\`\`\``;
    });
    files.set(page, filled);
  }
  return files;
}

/** The lines between the comments `snippet: PART` and `end`, without their common indentation. */
function snippet(source: string, part: string): string | undefined {
  const lines = source.split('\n');
  const start = lines.findIndex((line) => line.trim().replace(/^(?:\/\/|#) /, '') === `snippet: ${part}`);
  if (start < 0) return undefined;
  const after = lines.slice(start + 1);
  const length = after.findIndex((line) => /^\s*(?:\/\/|#) end$/.test(line));
  if (length < 0) return undefined;
  const code = after.slice(0, length);
  const indents = code.filter((line) => line !== '').map((line) => line.search(/\S/));
  const indent = Math.min(...indents);
  return code.map((line) => line.slice(indent)).join('\n');
}
