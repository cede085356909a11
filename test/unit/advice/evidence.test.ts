import { expect, it } from 'vitest';
import { evidenceOf } from '../../../operator/advice/evidence.ts';
import { type Bucket, EMPTY_BUCKET, total } from '../../../operator/usage/bucket.ts';
import { DayBuilder, emptyLedger, type Ledger, WHOLE_DAY } from '../../../operator/usage/ledger.ts';
import { DAY_MS, dayOf, hourOf } from '../../../operator/usage/periods.ts';

const NOW = Date.parse('2026-11-28T10:30:00Z');

/** Rows at times, in order. */
function ledgerWith(...rows: [at: number, bucket: Partial<Bucket>, row?: number][]): Ledger {
  const days = new Map<string, DayBuilder>();
  for (const [at, bucket, row = hourOf(at)] of rows) {
    const day = days.get(dayOf(at)) ?? new DayBuilder();
    days.set(dayOf(at), day);
    day.add('chat', row, bucket);
  }
  return { ...emptyLedger('team-a'), days: new Map([...days].map(([date, day]) => [date, day.done()])) };
}

const of = (ledger: Ledger, created = 0) =>
  evidenceOf(ledger, { name: 'chat', created, accelerators: 2 }, NOW);

it('has the hours of four weeks in order, and the time asleep of one replica', () => {
  const ledger = ledgerWith(
    [NOW, { requests: 2 }],
    [NOW - DAY_MS, { requests: 1 }],
    [NOW - 30 * DAY_MS, { requests: 9 }],
    [NOW - DAY_MS, { asleepMs: 2_000 }, WHOLE_DAY],
  );
  const { hours, from, until, asleepMs } = of(ledger);
  expect(hours.map(({ at, requests }) => [new Date(at).toISOString(), requests])).toEqual([
    ['2026-11-27T10:00:00.000Z', 1],
    ['2026-11-28T10:00:00.000Z', 2],
  ]);
  expect([new Date(from).toISOString(), until]).toEqual(['2026-11-27T10:00:00.000Z', NOW]);
  expect(asleepMs).toBe(1_000);
});

it('begins when the model was created, and has no days whose hours are gone', () => {
  const ledger = ledgerWith(
    [NOW - 5 * DAY_MS, { requests: 1 }],
    [NOW - 2 * DAY_MS, { requests: 7 }, WHOLE_DAY],
    [NOW - DAY_MS, { requests: 1 }],
  );
  const { hours, from } = of(ledger, NOW - 3 * DAY_MS);
  expect(hours.map(({ requests }) => requests)).toEqual([1]);
  expect(from).toBe(NOW - DAY_MS - 30 * 60_000);
});

it('of a model without a record is empty', () => {
  expect(of(emptyLedger('team-a'))).toEqual({ from: NOW, until: NOW, hours: [], asleepMs: 0 });
});

it('has the highest of peaks, and the sum of everything else', () => {
  const bucket = (peakInFlight: number): Bucket => ({ ...EMPTY_BUCKET, peakInFlight, wakes: 1 });
  expect(total([bucket(3), bucket(7), bucket(5)])).toMatchObject({ peakInFlight: 7, wakes: 3 });
});
