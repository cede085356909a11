import { Cron } from 'croner';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { boundsAt as boundsOf } from '../../../operator/model/bounds.ts';
import { CronEdge } from '../../../operator/model/cron-edge.ts';
import { mostReplicas } from '../../../operator/model/replica-counts.ts';
import type { ScalingSpec } from '../../../operator/model/resolved-scaling.ts';
import { InvalidSpecError } from '../../../operator/values/spec-issue.ts';
import { scalingOf } from './support/resolve.ts';

const at = (text: string) => Date.parse(text);
const boundsAt = (spec: ScalingSpec | undefined, now: number) => boundsOf(scalingOf(spec), now);
const range = ({ minReplicas, maxReplicas }: { minReplicas: number; maxReplicas: number }) => [
  minReplicas,
  maxReplicas,
];
const office = {
  name: 'office',
  start: '0 8 * * 1-5',
  end: '0 18 * * 1-5',
  timeZone: 'Europe/Berlin',
  minReplicas: 2,
  maxReplicas: 8,
};

afterEach(() => vi.restoreAllMocks());

describe('bounds without schedules', () => {
  it.each<[string, ScalingSpec | undefined, number[]]>([
    ['one replica by default', undefined, [1, 1]],
    ['a fixed number', { replicas: 3 }, [3, 3]],
    ['at least one of a model that may sleep', { minReplicas: 0 }, [0, 1]],
    ['the minimum as maximum', { minReplicas: 4 }, [4, 4]],
    ['both', { minReplicas: 1, maxReplicas: 5 }, [1, 5]],
    ["no limit of ours on somebody else's number", { mode: 'External', replicas: 3 }, [1, 1000]],
    ['a limit on it where one is set', { mode: 'External', replicas: 9, maxReplicas: 4 }, [1, 4]],
  ])('%s', (_name, scaling, expected) => {
    const bounds = boundsAt(scaling, 0);
    expect(range(bounds)).toEqual(expected);
    expect(bounds.nextChange).toBeUndefined();
  });
});

describe('a window', () => {
  const scaling: ScalingSpec = { minReplicas: 0, maxReplicas: 1, schedules: [office] };

  it.each([
    ['before it opens', '2026-01-14T06:59:59.999Z', [0, 1], '2026-01-14T07:00:00Z'],
    ['at the moment it opens', '2026-01-14T07:00:00Z', [2, 8], '2026-01-14T17:00:00Z'],
    ['inside', '2026-01-14T12:34:56Z', [2, 8], '2026-01-14T17:00:00Z'],
    ['at the moment it closes', '2026-01-14T17:00:00Z', [0, 1], '2026-01-15T07:00:00Z'],
    ['over the weekend', '2026-01-17T12:00:00Z', [0, 1], '2026-01-19T07:00:00Z'],
    ['by the clocks of summer', '2026-07-15T06:00:00Z', [2, 8], '2026-07-15T16:00:00Z'],
  ])('%s', (_name, now, expected, change) => {
    const bounds = boundsAt(scaling, at(now));
    expect(range(bounds)).toEqual(expected);
    expect(bounds.nextChange).toBe(at(change));
    expect(bounds.open).toEqual(expected[0] === 2 ? ['office'] : []);
  });

  it('is in UTC unless it says otherwise', () => {
    const { timeZone: _, ...utc } = office;
    expect(range(boundsAt({ ...scaling, schedules: [utc] }, at('2026-01-14T07:30:00Z')))).toEqual([0, 1]);
    expect(range(boundsAt({ ...scaling, schedules: [utc] }, at('2026-01-14T08:30:00Z')))).toEqual([2, 8]);
  });

  it.each(['0 0 30 2 *', '0 0 31 4 *', '0 0 31 APR,jun,9,nov *', '0 0 30-31 2 *', '0 0 31W 4 *'])(
    'cannot start or end at a date that never comes, which nobody searches for: %s',
    (never) => {
      const searched = vi.spyOn(Cron.prototype, 'nextRun');
      for (const edge of ['start', 'end']) {
        expect(() => boundsAt({ schedules: [{ ...office, [edge]: never }] }, 0)).toThrow(
          `spec.scaling.schedules[office].${edge} "${never}": the expression never matches a date; use a day`,
        );
      }
      expect(searched).not.toHaveBeenCalled();
    },
  );

  it.each([
    ['0 0 29 2 *', '2028-02-29T00:00:00Z'],
    ['0 0 31 2,5 *', '2026-05-31T00:00:00Z'],
    ['0 0 L 2 *', '2026-02-28T00:00:00Z'],
    ['0 0 31 4 5', '2026-04-03T00:00:00Z'],
    ['0 0 29,1 2 *', '2026-02-01T00:00:00Z'],
    ['0 0 */30 2 *', '2026-02-01T00:00:00Z'],
  ])('may start at a date that comes seldom: %s', (start, opens) => {
    const rare = { ...office, timeZone: 'UTC', start, end: start.replace('0 0', '0 1') };
    expect(boundsAt({ schedules: [rare] }, at('2026-01-14T12:00:00Z')).nextChange).toBe(at(opens));
  });

  it('is looked for with a bounded number of looks, and the rest later', () => {
    const often = Array.from({ length: 16 }, (_, i) => ({
      ...office,
      name: `w${i}`,
      start: '* * * * *',
      end: '* * * * *',
    }));
    const looks = vi.spyOn(CronEdge.prototype, 'next');
    const now = at('2026-01-14T12:00:00Z');
    expect(boundsAt({ schedules: often }, now).nextChange).toBeGreaterThan(now);
    // Both edges of each window, and of one step more than the limit has.
    expect(looks.mock.calls.length).toBeLessThanOrEqual(2 * (16 + 128 + 16));
  });

  it('reopens where its start and end coincide', () => {
    const nightly = { ...office, start: '0 8 * * 1-5', end: '0 8 * * *', timeZone: 'UTC' };
    const open = (now: string) => boundsAt({ schedules: [nightly] }, at(now)).open.length > 0;
    expect(open('2026-01-14T08:00:00Z')).toBe(true);
    // Friday's window ends on Saturday morning.
    expect(open('2026-01-17T07:59:00Z')).toBe(true);
    expect(open('2026-01-17T08:00:00Z')).toBe(false);
    // Changes that are none are looked past.
    expect(boundsAt({ schedules: [nightly] }, at('2026-01-12T09:00:00Z')).nextChange).toBe(
      at('2026-01-17T08:00:00Z'),
    );
  });

  it.each<[string, Partial<typeof office>, string]>([
    [
      'expression',
      { end: '0 99 * * *' },
      'spec.scaling.schedules[office].end "0 99 * * *": CronPattern: Invalid value for hour: 99; use minute,',
    ],
    [
      'time zone',
      { timeZone: 'Europe/Atlantis' },
      'spec.scaling.schedules[office].timeZone "Europe/Atlantis": the time zone does not exist; use a name',
    ],
  ])('names schedule, field and remedy of an %s that there is not', (_name, change, message) => {
    const ask = () => boundsAt({ schedules: [{ ...office, ...change }] }, 0);
    expect(ask).toThrow(InvalidSpecError);
    expect(ask).toThrow(message);
  });
});

describe('when clocks change', () => {
  // Berlin: forward on 2026-03-29 at 01:00Z, back on 2026-10-25 at 01:00Z.
  const night = { ...office, start: '30 2 * * *', end: '30 3 * * *' };
  const open = (now: string) => boundsAt({ schedules: [night] }, at(now)).open.length > 0;

  it('opens right after the hour that is skipped', () => {
    expect(open('2026-03-29T00:59:59Z')).toBe(false);
    expect(open('2026-03-29T01:00:00Z')).toBe(true);
    expect(open('2026-03-29T01:30:00Z')).toBe(false);
  });

  it('opens once in the hour that comes twice', () => {
    const changes: string[] = [];
    let now = at('2026-10-24T12:00:00Z');
    while (changes.length < 4) {
      now = boundsAt({ schedules: [night] }, now).nextChange ?? Number.NaN;
      changes.push(new Date(now).toISOString());
    }
    expect(changes).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-25T02:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
      '2026-10-26T02:30:00.000Z',
    ]);
  });
});

describe('windows that overlap', () => {
  const day = { name: 'day', start: '0 6 * * *', end: '0 22 * * *', minReplicas: 1, maxReplicas: 4 };
  const noon = { name: 'noon', start: '0 11 * * *', end: '0 13 * * *', minReplicas: 3, maxReplicas: 3 };

  it('give the highest minimum and the highest maximum', () => {
    const bounds = boundsAt({ schedules: [day, noon] }, at('2026-01-14T12:00:00Z'));
    expect(bounds).toEqual({
      minReplicas: 3,
      maxReplicas: 4,
      open: ['day', 'noon'],
      nextChange: at('2026-01-14T13:00:00Z'),
    });
  });

  it('keep what none of them sets', () => {
    const { maxReplicas: _, ...noMax } = noon;
    expect(range(boundsAt({ maxReplicas: 9, schedules: [noMax] }, at('2026-01-14T12:00:00Z')))).toEqual([
      3, 9,
    ]);
  });

  it('raise a maximum that is below the minimum of another', () => {
    const cap = { name: 'cap', start: '0 0 * * *', end: '0 23 * * *', maxReplicas: 2 };
    const { maxReplicas: _, ...noMax } = noon;
    expect(range(boundsAt({ maxReplicas: 9, schedules: [cap, noMax] }, at('2026-01-14T12:00:00Z')))).toEqual([
      3, 3,
    ]);
  });
});

it('knows the most replicas that there can ever be', () => {
  expect(mostReplicas(scalingOf(undefined))).toBe(1);
  expect(mostReplicas(scalingOf({ minReplicas: 0, maxReplicas: 2, schedules: [office] }))).toBe(8);
});

it('names a next change that is one, and no moment before it differs', () => {
  const hour = fc.integer({ min: 0, max: 23 });
  const zone = fc.constantFrom(
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Asia/Kolkata',
    'Australia/Lord_Howe',
  );
  const schedule = fc
    .record({ from: hour, to: hour, timeZone: zone, min: fc.integer({ min: 0, max: 3 }), more: fc.nat(3) })
    .map(({ from, to, timeZone, min, more }) => ({
      name: `w${from}-${to}`,
      start: `0 ${from} * * *`,
      end: `30 ${to} * * *`,
      timeZone,
      minReplicas: min,
      maxReplicas: min + more,
    }));
  fc.assert(
    fc.property(
      fc.array(schedule, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: at('2026-01-01T00:00:00Z'), max: at('2026-12-31T00:00:00Z') }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (schedules, now, part) => {
        const scaling = { minReplicas: 1, maxReplicas: 2, schedules };
        const bounds = boundsAt(scaling, now);
        if (bounds.nextChange === undefined) return;
        expect(bounds.nextChange).toBeGreaterThan(now);
        expect(range(boundsAt(scaling, now + Math.floor((bounds.nextChange - 1 - now) * part)))).toEqual(
          range(bounds),
        );
        const steps = boundsAt(scaling, bounds.nextChange);
        expect(steps.minReplicas).toBeLessThanOrEqual(steps.maxReplicas);
      },
    ),
    { numRuns: 60 },
  );
});
