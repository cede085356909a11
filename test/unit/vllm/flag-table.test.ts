/** The table, what the operator adds to it by hand, and what is rendered with it. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { parseArguments } from '../../../hack/vllm-sim/cli/parse-arguments.ts';
import { FLAG_TABLE, flagFacts, hasFlag, isBeyondTable, MINORS } from '../../../operator/vllm/flag-facts.ts';
import { FLAGS } from '../../../operator/vllm/flag-table.ts';
import { flagNamed } from '../../../operator/vllm/flags.ts';
import { SETTING_FLAGS } from '../../../operator/vllm/settings.ts';
import { type EngineVersion, OLDEST_VERSION, PINNED_VERSION } from '../../../operator/vllm/versions.ts';
import { REMOVED_FLAGS } from '../vllm-sim/removed-flags.ts';

const GOLDEN = new URL('../render/golden/', import.meta.url);

function version(text: string): EngineVersion {
  const [major = 0, minor = 0, patch = 0] = text.split('.').map(Number);
  return { major, minor, patch };
}

it('has every minor version from the oldest that we render to the pinned one', () => {
  const first = OLDEST_VERSION.minor;
  expect(MINORS).toEqual(MINORS.map((_, at) => `0.${first + at}`));
  expect(isBeyondTable(PINNED_VERSION)).toBe(false);
});

it.each(SETTING_FLAGS.map(({ name, field }) => [name, field]))(
  'has --%s, which %s stands for',
  (name, field) => {
    expect(flagNamed(name).field).toBe(field);
    expect(FLAG_TABLE.flags[name]).toBeDefined();
  },
);

it('has every flag that belongs to the operator, under that name', () => {
  const reserved = FLAGS.filter((flag) => flag.reserved !== undefined).map(({ name }) => name);
  expect(reserved).toContain('data-parallel-multi-port-external-lb');
  expect(reserved).toHaveLength(25);
});

// From vLLM's history and release notes, apart from the parsers that the table was read from.
it.each([
  ['swap-space', '0.17.1', '0.18.0'],
  ['task', '0.12.0', '0.13.0'],
  ['cuda-graph-sizes', '0.12.0', '0.13.0'],
  ['calculate-kv-scales', '0.27.1', '0.28.0'],
])('--%s is there at %s and gone at %s', (name, last, gone) => {
  expect(hasFlag(name, version(last))).toBe(true);
  expect(hasFlag(name, version(gone))).toBe(false);
});

it.each([
  ['performance-mode', '0.16.0', '0.17.0'],
  ['shutdown-timeout', '0.17.1', '0.18.0'],
  ['spec-method', '0.21.0', '0.22.0'],
])('--%s is not there at %s and is at %s', (name, before, since) => {
  expect(hasFlag(name, version(before))).toBe(false);
  expect(hasFlag(name, version(since))).toBe(true);
});

it('knows defaults and names of each version', () => {
  expect(flagFacts('gpu-memory-utilization', version('0.19.1'))?.default).toBe(0.9);
  expect(flagFacts('gpu-memory-utilization', version('0.28.0'))?.default).toBe(0.92);
  expect(flagFacts('quantization', version('0.23.0'))?.names).toContain('gguf');
  expect(flagFacts('quantization', version('0.24.0'))?.names).not.toContain('gguf');
});

it('knows the flags that are gone', () => {
  for (const name of REMOVED_FLAGS) expect(hasFlag(flagNamed(name).name, PINNED_VERSION), name).toBe(false);
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
