import { describe, expect, test } from 'vitest';
import { profileCount, profilesOf } from '../../../operator/tune/profiles.ts';
import { DEFAULT_RANGES, parseSettingRange } from '../../../operator/tune/setting-range.ts';

describe('settings', () => {
  test('are numbers, truth values and texts, each once', () => {
    expect(parseSettingRange('engine.batching.maxNumSeqs=64,128,64')).toEqual({
      path: 'engine.batching.maxNumSeqs',
      values: [64, 128],
    });
    expect(parseSettingRange('engine.pagedAttention.prefixCaching=true,false')).toMatchObject({
      values: [true, false],
    });
    expect(parseSettingRange('admission.batchWindow=0s,20ms')).toMatchObject({ values: ['0s', '20ms'] });
  });

  test.each([
    'engine',
    'engine.x',
    '=1',
    'scaling.replicas=3',
    'model.source=hf://a/b',
    'engine..x=1',
    'engine.__proto__.x=1',
    'engine.x=',
    'engine.x=1,,2',
    'engine.x={a: 1}',
    'engine.x=*a',
    'engine.x=null',
  ])('%s is refused', (text) => {
    expect(typeof parseSettingRange(text)).toBe('string');
  });
});

describe('profiles', () => {
  test('are all combinations, with names for files', () => {
    const profiles = profilesOf(DEFAULT_RANGES);

    expect(profiles.map(({ name }) => name)).toEqual([
      'seqs64-tokens4096',
      'seqs64-tokens8192',
      'seqs64-tokens16384',
      'seqs128-tokens4096',
      'seqs128-tokens8192',
      'seqs128-tokens16384',
      'seqs256-tokens4096',
      'seqs256-tokens8192',
      'seqs256-tokens16384',
    ]);
    expect(profiles).toHaveLength(profileCount(DEFAULT_RANGES));
    expect(profiles[0]?.settings).toEqual({
      'engine.batching.maxNumSeqs': 64,
      'engine.batching.maxNumBatchedTokens': 4096,
    });
  });

  test('have names that differ, whatever the values are', () => {
    const range = { path: 'engine.quantization', values: ['a/b', 'a b', '../..', 'x'.repeat(200)] };
    const names = profilesOf([range]).map(({ name }) => name);

    expect(new Set(names).size).toBe(4);
    for (const name of names) expect(name).toMatch(/^[a-z0-9-]{1,90}$/);
  });

  test('are one without ranges', () => {
    expect(profilesOf([])).toEqual([{ name: 'as-it-is', settings: {} }]);
  });
});
