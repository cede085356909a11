/** A spec is interpreted in one place: everybody else takes what it comes to, so that no two can differ. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const sources = globSync('operator/**/*.ts', { cwd: root }).map((file) => ({
  file,
  code: readFileSync(join(root, file), 'utf8').replaceAll(/^\s*(\/\/|\/?\*).*$/gm, ''),
}));

function callersOf(name: string): string[] {
  const call = new RegExp(`(?<!function )\\b${name}\\(`);
  return sources.flatMap(({ file, code }) => (call.test(code) ? [file] : [])).sort();
}

it.each([
  ['mergeEngine', 'operator/model/resolve-model.ts'],
  ['resolveEngine', 'operator/model/resolve-model.ts'],
  ['resolveScaling', 'operator/model/resolve-model.ts'],
  ['planMemory', 'operator/model/resolve-model.ts'],
  ['claimOf', 'operator/model/resolve-model.ts'],
  ['resolveAccelerator', 'operator/model/resolve-pool.ts'],
])('%s is called by %s alone', (name, caller) => {
  expect(callersOf(name)).toEqual([caller]);
});

it('models are resolved and assessed by the controllers through one cache, by the commands, the planner and advice', () => {
  const commands = 'operator/cli/assess-files.ts';
  expect(callersOf('resolveModel')).toEqual([
    'operator/advice/placement.ts',
    commands,
    'operator/controllers/shared/resolutions.ts',
    'operator/planning/replica.ts',
  ]);
  expect(callersOf('assess')).toEqual([commands, 'operator/controllers/acceptance/assessments.ts']);
});

it('only the resolution reads spec.scaling', () => {
  const readers = sources.flatMap(({ file, code }) =>
    /\bspec\??\.scaling\b(?!\.)|\bspec: \{[^}]*\bscaling\b/.test(code.replaceAll(/'[^']*'|`[^`]*`/g, ''))
      ? [file]
      : [],
  );
  expect(readers).toEqual(['operator/model/resolve-model.ts']);
});
