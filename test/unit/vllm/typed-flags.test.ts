import { describe, expect, it } from 'vitest';
import { flagName, TYPED_FLAGS } from '../../../operator/vllm/typed-flags.ts';

describe('TYPED_FLAGS', () => {
  it('are those of settings, of the model and of the operator, in every spelling', () => {
    const refused = [...TYPED_FLAGS.keys()];
    expect(refused).toEqual(
      expect.arrayContaining(['--dtype', '-tp', '--no-enable-lora', '--model', '--port']),
    );
    expect(refused).not.toContain('--seed');
    expect(TYPED_FLAGS.get('--dtype')?.remedy).toBe('set engine.dtype instead');
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
