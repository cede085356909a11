/** Output of `plan --load` in the documentation: what the command prints for the example that the page names. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { planLoads } from '../../operator/cli/plan-loads.ts';
import { loadSchema } from '../../operator/planning/load.ts';
import { alignedTable } from './markdown-table.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = 'docs/how-to/plan-capacity.md';

/** A command on an example, and the block of text that shows its output. */
const SHOWN =
  /^```sh\nnpx vllm-operator plan --load -f (examples\/loads\/[\w-]+\.yaml)( --what-if)?\n```\n\n```text\n.*?^```$/gms;

/** A file of the examples, shown as it is. */
const FILE = /^<!-- file: (examples\/loads\/[\w-]+\.yaml) -->\n\n```yaml\n.*?^```$/gms;

/** The table of the fields between its marks. */
const FIELDS = /^<!-- fields of a load -->\n.*?^<!-- end -->$/ms;

function outputOf(file: string, whatIf: boolean): string {
  let text = '';
  const write = (more: string): void => {
    text += more;
  };
  planLoads([join(ROOT, file)], { whatIf }, { write, fail: write });
  return text;
}

interface JsonSchema {
  type?: string;
  description?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
}

function rows(schema: JsonSchema, before: string): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${before}${name}`;
    const inside = path === 'facts' || path === 'prices' ? [] : rows(field, `${path}.`);
    return [[`\`${path}\``, field.description ?? ''], ...inside];
  });
}

/** The page with outputs and fields as they are. */
export async function planExampleFiles(): Promise<[string, string][]> {
  const text = await readFile(join(ROOT, PAGE), 'utf8');
  const schema = z.toJSONSchema(loadSchema, { io: 'input' }) as JsonSchema;
  const table = alignedTable(['field', 'meaning'], rows(schema, ''));
  const filled = text
    .replaceAll(SHOWN, (_, file: string, whatIf = '') => {
      const command = `\`\`\`sh\nnpx vllm-operator plan --load -f ${file}${whatIf}\n\`\`\``;
      return `${command}\n\n\`\`\`text\n${outputOf(file, whatIf !== '')}\`\`\``;
    })
    .replaceAll(FILE, (_, file: string) => {
      const content = readFileSync(join(ROOT, file), 'utf8');
      return `<!-- file: ${file} -->\n\n\`\`\`yaml\n${content}\`\`\``;
    })
    .replace(FIELDS, `<!-- fields of a load -->\n\n${table}\n\n<!-- end -->`);
  return [[PAGE, filled]];
}
