import { describe, expect, it } from 'vitest';
import { durationSeconds } from '../../../operator/values/units.ts';

describe('durationSeconds', () => {
  it.each([
    ['180s', 180],
    ['5m', 300],
    ['1h30m', 5400],
    ['1500ms', 1.5],
    ['240h', 864_000],
    ['240h1ms', 864_000],
    ['99999999h99999999h', 864_000],
  ])('%s is %d', (text, seconds) => expect(durationSeconds(text)).toBeCloseTo(seconds, 9));

  it.each(['', '5', 's', '5d', '5m x', '-5m'])('refuses %j', (text) => {
    expect(() => durationSeconds(text)).toThrow(RangeError);
  });
});
