import { describe, expect, it } from 'vitest';
import { type Arrival, arrivalTimes, type Stage, stagesOf } from '../../../operator/bench/arrival-times.ts';
import { LOAD_DEFAULTS } from '../../../operator/bench/load-plan.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const steady: Stage = { seconds: 10, from: 50, to: 50, step: 0 };
const ramp: Stage = { seconds: 10, from: 0, to: 100 };

const times = (stages: Stage[], arrivals: 'constant' | 'poisson', seed = 1): Arrival[] => [
  ...arrivalTimes(stages, arrivals, seededRandom(seed)),
];

describe('constant arrivals', () => {
  it('have the same time between them', () => {
    const all = times([steady], 'constant');
    expect(all).toHaveLength(500);
    for (const [n, { atMs }] of all.entries()) expect(atMs).toBeCloseTo(n * 20, 6);
  });

  it('grow denser on a ramp, which has half as many as its last rate', () => {
    const all = times([ramp], 'constant').map(({ atMs }) => atMs);
    expect(all).toHaveLength(500);
    // The rate at t is 10 t, so 5 t² requests are due by then.
    for (const [n, atMs] of all.entries()) expect(5 * (atMs / 1000) ** 2).toBeCloseTo(n, 6);
  });

  it('follow one another over stages without a gap, and say which step they belong to', () => {
    const all = times([ramp, { ...steady, from: 100, to: 100 }], 'constant');
    expect(all).toHaveLength(1500);
    expect(all[499]).toMatchObject({ atMs: expect.closeTo(9989.99, 1) });
    expect(all[499]).not.toHaveProperty('step');
    expect(all[500]).toEqual({ atMs: expect.closeTo(10_000, 6), step: 0 });
  });
});

describe('Poisson arrivals', () => {
  const long = { ...steady, seconds: 1000 };

  it('have the mean rate, and as much variance as independent users cause', () => {
    const all = times([long], 'poisson');
    const perSecond = new Array<number>(1000).fill(0);
    for (const { atMs } of all) {
      const second = Math.floor(atMs / 1000);
      perSecond[second] = (perSecond[second] ?? 0) + 1;
    }
    const mean = all.length / 1000;
    const variance = perSecond.reduce((sum, n) => sum + (n - mean) ** 2, 0) / 1000;
    expect(Math.abs(mean / 50 - 1)).toBeLessThan(0.02);
    expect(Math.abs(variance / mean - 1)).toBeLessThan(0.15);
  });

  it('are the same with the same random numbers, in order, and inside of their stages', () => {
    const all = times([ramp, steady], 'poisson', 7);
    expect(times([ramp, steady], 'poisson', 7)).toEqual(all);
    expect(all.map(({ atMs }) => atMs)).toEqual(all.map(({ atMs }) => atMs).sort((a, b) => a - b));
    for (const { atMs, step } of all) expect(atMs < 10_000).toBe(step === undefined);
  });
});

it('the stages of a plan are a ramp, a warm-up and the steps with a ramp between them', () => {
  const plan = { ...LOAD_DEFAULTS, url: 'http://h', model: 'm', rates: [10, 20] };
  expect(stagesOf({ ...plan, seconds: 60, warmUpSeconds: 30, rampSeconds: 5 })).toEqual([
    { seconds: 5, from: 0, to: 10 },
    { seconds: 30, from: 10, to: 10 },
    { seconds: 60, from: 10, to: 10, step: 0 },
    { seconds: 5, from: 10, to: 20 },
    { seconds: 60, from: 20, to: 20, step: 1 },
  ]);
});
