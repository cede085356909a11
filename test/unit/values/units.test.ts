import { describe, expect, it } from 'vitest';
import { durationSeconds, quantityValue } from '../../../operator/values/units.ts';

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

describe('quantityValue', () => {
  it.each([
    ['1Gi', 2 ** 30],
    ['500m', 0.5],
    ['2', 2],
    ['1.5Mi', 1.5 * 2 ** 20],
    ['3k', 3000],
  ])('%s is %d', (text, value) => expect(quantityValue(text)).toBe(value));

  it.each(['', 'Gi', '1GB', '-1', '1 Gi'])('refuses %j', (text) => {
    expect(() => quantityValue(text)).toThrow(RangeError);
  });
});
