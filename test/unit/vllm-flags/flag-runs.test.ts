import { expect, it } from 'vitest';
import {
  compressVersions,
  expandTable,
  type FlagsOfVersion,
  formatTable,
} from '../../../hack/vllm-flags/flag-runs.ts';
import type { FlagFacts, FlagTable } from '../../../operator/vllm/flag-facts.ts';

function flags(facts: Record<string, FlagFacts>): FlagsOfVersion {
  return new Map(Object.entries(facts));
}

const READ = new Map([
  ['0.9.2', flags({ dtype: { kind: 'value', type: 'text', choices: ['auto', 'half'] } })],
  [
    '0.10.0',
    flags({
      dtype: { kind: 'value', type: 'text', choices: ['auto', 'half'] },
      seed: { kind: 'value', type: 'int', default: 0, none: true },
    }),
  ],
  [
    '0.11.2',
    flags({
      dtype: { kind: 'value', type: 'text', choices: ['auto', 'float'] },
      seed: { kind: 'value', type: 'int', default: 1 },
      swap: { kind: 'value', type: 'float' },
    }),
  ],
  [
    '0.12.0',
    flags({ dtype: { kind: 'value', type: 'text' }, seed: { kind: 'list', type: 'int', default: 0 } }),
  ],
]);

it('says of each version what was read of it', () => {
  expect(expandTable(compressVersions(READ))).toEqual(READ);
});

it('writes ranges, with open ends where the table ends', () => {
  expect(compressVersions(READ)).toEqual({
    versions: ['0.9.2', '0.10.0', '0.11.2', '0.12.0'],
    flags: {
      dtype: {
        kind: 'value',
        type: 'text',
        choices: { auto: '-0.11', float: '0.11-0.11', half: '-0.10' },
      },
      seed: {
        in: '0.10-',
        kind: { '0.10-0.11': 'value', '0.12-': 'list' },
        type: 'int',
        default: { '0.10-0.10 0.12-': 0, '0.11-0.11': 1 },
        none: { '0.10-0.10': true },
      },
      swap: { in: '0.11-0.11', kind: 'value', type: 'float' },
    },
  });
});

it('takes one version more in whatever order', () => {
  const { versions, flags: histories } = compressVersions(new Map([...READ].reverse()));
  expect(compressVersions(expandTable({ versions, flags: histories }))).toEqual(compressVersions(READ));
});

it('is text that is the table again', () => {
  const table = compressVersions(READ);
  expect(JSON.parse(formatTable(table)) as FlagTable).toEqual(table);
});
