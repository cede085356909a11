/** The table against the simulator's list, which was written down apart from it, and against what is rendered. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { FLAGS as SIMULATED } from '../../../hack/vllm-sim/cli/flags.ts';
import { parseArguments } from '../../../hack/vllm-sim/cli/parse-arguments.ts';
import type { Flag } from '../../../operator/vllm/flag.ts';
import { FLAGS } from '../../../operator/vllm/flag-table.ts';
import { flagAvailability } from '../../../operator/vllm/flags.ts';
import { PINNED_VERSION } from '../../../operator/vllm/versions.ts';
import { REMOVED_FLAGS } from '../vllm-sim/removed-flags.ts';

const GOLDEN = new URL('../render/golden/', import.meta.url);

function available(flag: Flag): boolean {
  return flagAvailability(flag, PINNED_VERSION) === 'available';
}

it('has the flags of the pinned version with the kinds that they have', () => {
  const kinds = [...new Set(SIMULATED.values())].map(({ name, kind, list }) => {
    const own = list ? 'list' : kind === 'bool' || kind === 'switch' ? 'switch' : 'value';
    return `${name.replace(/^--/, '')} ${own}`;
  });
  expect(
    FLAGS.filter(available)
      .map(({ name, kind }) => `${name} ${kind}`)
      .sort(),
  ).toEqual(kinds.sort());
});

it('knows the flags that are gone', () => {
  const gone = new Set(FLAGS.filter((flag) => !available(flag)).map(({ name }) => name));
  for (const name of REMOVED_FLAGS) expect(gone).toContain(name.replace(/^--/, ''));
});

describe('the simulated engine', () => {
  const engines = readdirSync(GOLDEN).flatMap((file) =>
    parseAllDocuments(readFileSync(new URL(file, GOLDEN), 'utf8')).flatMap((document) => {
      const { kind, spec } = document.toJS() as {
        kind: string;
        spec?: { template?: { spec: { containers: { name: string; args: string[] }[] } } };
      };
      const [container] = kind === 'Deployment' ? (spec?.template?.spec.containers ?? []) : [];
      return container?.name === 'engine' ? [[file, container.args] as const] : [];
    }),
  );

  it.each(engines)('starts with the arguments of %s', (_file, args) => {
    expect(() => parseArguments([...args])).not.toThrow();
    expect(() => parseArguments([...args, '--swap-space=4'])).toThrow(/swap-space/);
  });
});
