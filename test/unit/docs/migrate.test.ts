/** docs/how-to/migrate.md names fields that are there, and that the importers read. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { inRepository } from '../../support/documented-commands.ts';

const read = (path: string): string => readFileSync(inRepository(path), 'utf8');
const page = read('docs/how-to/migrate.md');

it('fields of an InferenceModel are in its reference', () => {
  const reference = read('docs/reference/inferencemodel.md');
  const named = [...page.matchAll(/`(spec\.[A-Za-z.]+)`/g)].map(([, field = '']) => field);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((field) => !reference.includes(`\`${field}`))).toEqual([]);
});

it.each([
  ['KubeAI', 'from-kubeai'],
  ['KServe', 'from-kserve'],
  ['vLLM production stack', 'from-production-stack'],
])('fields of %s are those that its importer knows', (title, importer) => {
  const section = page.split(`## ${title}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = [...section.matchAll(/^\| (.*?) \|/gm)].map(([, left = '']) => left).slice(2);
  const fields = rows.flatMap((row) => [...row.matchAll(/`(\w+)`/g)].map(([, field = '']) => field));
  expect(fields.length).toBeGreaterThan(4);
  const source = read(`operator/cli/import/${importer}.ts`) + read('operator/cli/import/import-files.ts');
  // Values of the chart that are not those of an engine are not read.
  const unread = fields.filter((field) => !new RegExp(`\\b${field}\\b`).test(source));
  expect(unread.filter((field) => !['routerSpec', 'name_adapter'].includes(field))).toEqual([]);
});
