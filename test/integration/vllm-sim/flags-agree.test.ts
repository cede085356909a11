import { describe, expect, test } from 'vitest';
import type { Flag } from '../../../hack/vllm-sim/cli/flag.ts';
import { FLAGS } from '../../../hack/vllm-sim/cli/flags.ts';
import { parseArguments } from '../../../hack/vllm-sim/cli/parse-arguments.ts';
import { DEFAULT_VERSION } from '../../../hack/vllm-sim/engine-version.ts';
import { FLAGS as RENDERED } from '../../../operator/vllm/flag-table.ts';
import { flagAvailability } from '../../../operator/vllm/flags.ts';
import { parseVersion } from '../../../operator/vllm/versions.ts';

/** Two readings of vLLM's sources, made apart: what one knows of a flag, the other must not deny. */
const version = parseVersion(DEFAULT_VERSION);
if (version === undefined) {
  throw new Error(`not a version: ${DEFAULT_VERSION}`);
}
const available = RENDERED.filter((flag) => flagAvailability(flag, version) === 'available');
const gone = RENDERED.filter((flag) => flagAvailability(flag, version) === 'removed');

function kindOf({ kind, list }: Flag): string {
  return list === true ? 'list' : kind === 'bool' || kind === 'switch' ? 'switch' : 'value';
}

describe(`flags of v${DEFAULT_VERSION}`, () => {
  test('that the operator may render start the engine', () => {
    expect(available.length).toBeGreaterThan(200);
    expect(available.filter(({ name }) => !FLAGS.has(name)).map(({ name }) => name)).toEqual([]);
  });

  test('take as many values on both sides', () => {
    const both = available.flatMap(({ name, kind }) => {
      const other = FLAGS.get(name);
      return other === undefined ? [] : [{ name, operator: kind, engine: kindOf(other) }];
    });
    expect(both.filter(({ operator, engine }) => operator !== engine)).toEqual([]);
  });

  test('have the same short forms', () => {
    const short = (aliases: readonly string[] = []): string | undefined =>
      aliases.find((alias) => /^-[a-z]/.test(alias));
    const differing = available.filter(({ name, aliases }) => {
      const form = FLAGS.get(name)?.short;
      return short(aliases) !== (form === undefined ? undefined : `-${form}`);
    });
    expect(differing.map(({ name }) => name)).toEqual([]);
  });

  test.each(gone.map(({ name }) => [name]))('--%s is gone for both', (name) => {
    expect(FLAGS.has(name)).toBe(false);
    expect(() => parseArguments(['org/model', `--${name}`])).toThrow(/unrecognized arguments/);
  });
});
