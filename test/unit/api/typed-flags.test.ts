import { describe, expect, it } from 'vitest';
import { flagName, TYPED_FLAGS } from '../../../operator/api/typed-flags.ts';
import { FLAGS } from '../../../operator/vllm/flag-table.ts';

/** Every spelling of the flags that the engine's table says are rendered from a setting or reserved. */
const spellings = FLAGS.filter(
  ({ field, reserved }) => field !== undefined || reserved !== undefined,
).flatMap(({ name, kind, aliases = [] }) => [
  `--${name}`,
  ...(kind === 'switch' ? [`--no-${name}`] : []),
  ...aliases.map((alias) => (alias.startsWith('-') ? alias : `--${alias}`)),
]);

describe('TYPED_FLAGS', () => {
  it('are the flags that the engine renders itself', () => {
    expect([...TYPED_FLAGS.keys()].sort()).toEqual([...new Set(spellings)].sort());
  });

  it.each([
    ['--max-model-len=4k', '--max-model-len'],
    ['--max_model_len', '--max-model-len'],
    ['--compilation-config.mode=3', '--compilation-config'],
    ['-tp', '-tp'],
    ['3', '3'],
  ])('are found in %s', (argument, flag) => {
    expect(flagName(argument)).toBe(flag);
  });
});
