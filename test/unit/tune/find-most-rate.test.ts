import { describe, expect, test } from 'vitest';
import { findMostRate, type MostRate, rateAt } from '../../../operator/tune/find-most-rate.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const GRID = { least: 1, most: 100, step: 0.05 };

/** Searches with a verdict for each measurement, and returns what was measured too. */
async function search(
  meets: (rate: number, times: number) => boolean,
  { start = 2, budget = 50, grid = GRID } = {},
): Promise<MostRate & { measured: number[] }> {
  const measured: number[] = [];
  const found = await findMostRate({
    grid,
    start,
    budget,
    measure: async (rate) => {
      measured.push(rate);
      return meets(rate, measured.filter((other) => other === rate).length);
    },
  });
  return { ...found, measured };
}

describe('without noise', () => {
  test.each([1.02, 1.9, 7.3, 30, 90])(
    'the highest rate below %d is found in few measurements',
    async (knee) => {
      const { rate = 0, missed = 0, settled, measured } = await search((asked) => asked <= knee);

      expect(settled).toBe(true);
      expect(rate).toBeLessThanOrEqual(knee);
      expect(missed).toBeGreaterThan(knee);
      expect(missed / rate).toBeCloseTo(1.05, 2);
      expect(measured.length).toBeLessThanOrEqual(13);
    },
  );

  test('there is no rate if not even the lowest passes', async () => {
    expect(await search(() => false)).toMatchObject({ missed: 1, settled: true });
  });

  test('nothing is missed if the highest passes', async () => {
    const { rate, missed, settled } = await search(() => true);

    expect(missed).toBeUndefined();
    expect(settled).toBe(true);
    expect(rate).toBeGreaterThan(95);
    expect(rate).toBeLessThanOrEqual(100);
  });

  test('a grid of one rate is measured twice', async () => {
    const grid = { least: 3, most: 3, step: 0.05 };
    expect(await search(() => true, { grid })).toEqual({ rate: 3, settled: true, measured: [3, 3] });
  });
});

describe('with noise', () => {
  test('a pass by chance is measured again, and does not count', async () => {
    const lucky = rateAt(GRID, 40);
    const { rate = 0 } = await search((asked, times) => asked < 5 || (asked === lucky && times === 1), {
      start: lucky,
    });
    expect(rate).toBeLessThan(5);
    expect(rate).toBeGreaterThan(4.7);
  });

  test('a miss by chance is measured again, and does not count', async () => {
    const unlucky = rateAt(GRID, 20);
    const { rate = 0 } = await search((asked, times) => asked < 9 && (asked !== unlucky || times > 1), {
      start: unlucky,
    });
    expect(rate).toBeGreaterThan(8.5);
  });

  test('the result is within two steps nearly always, and the search always ends', async () => {
    const random = seededRandom(11);
    const knee = 60;
    const errors: number[] = [];
    for (let attempt = 0; attempt < 500; attempt++) {
      // Near the knee a verdict is a matter of chance: over about a step to both sides.
      const { rate = 0 } = await search((asked) => {
        const index = Math.log(asked) / Math.log(1.05);
        return random() < 1 / (1 + Math.exp((index - knee) * 3));
      });
      errors.push(Math.abs(Math.log(rate) / Math.log(1.05) - knee));
    }
    expect(errors.filter((error) => error > 2).length / errors.length).toBeLessThan(0.05);
  });

  test('the budget bounds the measurements, and what is not certain is not called settled', async () => {
    const { measured, settled } = await search((_, times) => times % 2 === 0, { budget: 9 });

    expect(measured).toHaveLength(9);
    expect(settled).toBe(false);
  });
});
