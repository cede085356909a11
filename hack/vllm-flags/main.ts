/**
 * The flags of `vllm serve`, from its own parser:
 *
 *   npm run generate:vllm -- VERSION...         reads versions, such as 0.33.0, into operator/vllm/flag-table.json
 *   npm run generate:vllm -- --all              reads all versions of the table again
 *   npm run generate:vllm -- --verify [VERSION...]   asks the parsers whether they take and refuse what the operator does
 *
 * Needs Python 3 and the network, for an environment with vLLM's dependencies and for the wheel of each version.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FLAG_TABLE, minorOf } from '../../operator/vllm/flag-facts.ts';
import { compressVersions, expandTable, type FlagsOfVersion, formatTable } from './flag-runs.ts';
import { readFlags, verdictsOf } from './real-parser.ts';
import { casesOf } from './verify-cases.ts';

const TABLE = join(import.meta.dirname, '../../operator/vllm/flag-table.json');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { all: { type: 'boolean', default: false }, verify: { type: 'boolean', default: false } },
});
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());

const versions = positionals.map((text) => text.replace(/^v/, ''));
if (
  versions.some((version) => !/^\d+\.\d+\.\d+$/.test(version)) ||
  (versions.length === 0 && !values.all && !values.verify)
) {
  console.error(
    'usage: npm run generate:vllm -- VERSION... | --all | --verify [VERSION...]; a version is such as 0.33.0',
  );
  process.exitCode = 2;
} else if (values.verify) {
  const wrong = await verify(versions.length > 0 ? versions : FLAG_TABLE.versions);
  if (wrong > 0) process.exitCode = 1;
} else {
  await generate(values.all ? [...FLAG_TABLE.versions, ...versions] : versions);
}

/** A version takes the place of another one of the same minor. */
async function generate(wanted: readonly string[]): Promise<void> {
  const table = new Map<string, FlagsOfVersion>(expandTable(FLAG_TABLE));
  for (const version of wanted) {
    const flags = await readFlags(version, stop.signal);
    for (const other of table.keys()) if (minorOf(other) === minorOf(version)) table.delete(other);
    table.set(version, flags);
    writeFileSync(TABLE, formatTable(compressVersions(table)));
    console.log(`${version}: ${flags.size} flags`);
  }
}

/** Number of differences between what the operator and the parsers say. */
async function verify(wanted: readonly string[]): Promise<number> {
  let wrong = 0;
  for (const version of wanted) {
    const cases = casesOf(version);
    const verdicts = await verdictsOf(
      version,
      cases.map(({ args }) => args),
      stop.signal,
    );
    const differing = cases.flatMap(({ args, refusal }, at): string[] => {
      const verdict = verdicts[at] ?? undefined;
      if ((verdict === undefined) === (refusal === undefined)) return [];
      return [
        `  ${args.join(' ')}\n    operator: ${refusal ?? 'takes it'}\n    vLLM: ${verdict ?? 'takes it'}`,
      ];
    });
    const refused = cases.filter(({ refusal }) => refusal !== undefined).length;
    console.log(
      `${version}: ${cases.length - refused} taken, ${refused} refused, ${differing.length} differing`,
    );
    for (const line of differing) console.log(line);
    wrong += differing.length;
  }
  return wrong;
}
