import { describe, expect, it } from 'vitest';
import { account } from '../../../operator/usage/account.ts';
import { total } from '../../../operator/usage/bucket.ts';
import { emptyLedger, type Ledger } from '../../../operator/usage/ledger.ts';
import { DAY_MS, HOUR_MS } from '../../../operator/usage/periods.ts';
import { rollUp } from '../../../operator/usage/roll-up.ts';
import { archiveText, openText, readLedger } from '../../../operator/usage/stored-ledger.ts';
import { allOf } from './support.ts';

const MIDNIGHT = Date.UTC(2026, 10, 28);
const MEBIBYTE = 1_048_576;

/** A ledger in which many models run for some days. */
function busy({ models, days }: { models: number; days: number }): Ledger {
  const allocations = Array.from({ length: models }, (_, i) => ({
    uid: `p${i}`,
    model: `a-model-with-quite-a-long-name-${i}`,
    accelerators: 8,
    start: MIDNIGHT - days * DAY_MS,
    readySince: MIDNIGHT - days * DAY_MS,
    hourlyCost: 2.13,
  }));
  return account(emptyLedger('team'), { allocations, sleepers: [], batches: [] }, MIDNIGHT + HOUR_MS);
}

describe('the stored record', () => {
  it('reads back as it was written, from both parts', () => {
    const ledger = busy({ models: 3, days: 2 });
    const isOpen = (date: string) => date === '2026-11-28';
    const days = new Map([...ledger.days].filter(([date]) => !isOpen(date)));
    const read = readLedger(openText(ledger, isOpen), archiveText({ ...ledger, days }, isOpen).text);
    expect(read?.ledger).toEqual({ ...ledger, days: new Map([...ledger.days].sort()) });
    expect(read?.archived).toEqual(new Set(['2026-11-26', '2026-11-27']));
  });

  it('takes a day from the open record where both have it, so that a death between two writes doubles nothing', () => {
    const ledger = busy({ models: 1, days: 1 });
    const read = readLedger(
      openText(ledger, () => true),
      archiveText(ledger, () => true).text,
    );
    expect(read?.ledger.days).toEqual(ledger.days);
    expect(read?.archived).toEqual(new Set());
  });

  it('reads back also with more money than a number has exactly, as in currencies with large numbers', () => {
    const pod = {
      uid: 'p',
      model: 'chat',
      accelerators: 8,
      start: MIDNIGHT,
      hourlyCost: 9e15,
    };
    const seen = { allocations: [pod], sleepers: [], batches: [] };
    const ledger = account(emptyLedger('team'), seen, MIDNIGHT + HOUR_MS);
    expect(total(ledger.days.get('2026-11-28')?.models.get('chat')?.values() ?? []).cost).toBeGreaterThan(
      7e25,
    );
    expect(
      readLedger(
        openText(ledger, () => true),
        undefined,
      )?.ledger,
    ).toEqual(ledger);
  });

  it('counts as absent where it is no record', () => {
    const text = openText(busy({ models: 1, days: 1 }), () => true);
    expect(readLedger(text.slice(1), undefined)).toBeUndefined();
    expect(readLedger(text.replace('"pods":{', '"pods":{"x":-1,'), undefined)).toBeUndefined();
    expect(readLedger('{}', 'null')).toBeUndefined();
  });

  it('fits into a ConfigMap for a team that makes new models all the time', () => {
    const name = (month: number, day: number, i: number) => `${'x'.repeat(200)}-${month}-${day}-${i}`;
    let ledger = emptyLedger('team');
    let now = MIDNIGHT;
    for (let month = 0; month < 12; month += 1) {
      for (let day = 0; day < 4; day += 1, now += DAY_MS) {
        const made = Array.from({ length: 400 }, (_, i) => ({ model: name(month, day, i), accelerators: 1 }));
        for (const sleepers of [made, []]) {
          now += HOUR_MS;
          ledger = account(ledger, { allocations: [], sleepers, batches: [] }, now);
        }
      }
      now += 26 * DAY_MS;
      ledger = archiveText(
        rollUp(ledger, now, () => false),
        () => false,
      ).ledger;
    }
    const { text, ledger: fitting } = archiveText(ledger, () => false);
    expect(Buffer.byteLength(text)).toBeLessThan(MEBIBYTE);
    const slept = [...fitting.months.values()].flatMap((models) => [...models.values()]);
    const days = [...fitting.days.values()].flatMap(({ models }) =>
      [...models.values()].flatMap((rows) => [...rows.values()]),
    );
    expect(total([...slept, ...days]).asleepMs, 'sums stay').toBe(12 * 4 * 400 * HOUR_MS);
  });

  it('fits into a ConfigMap for a team with thousands of models that sleep', () => {
    const sleepers = Array.from({ length: 16_000 }, (_, i) => ({
      model: `${'x'.repeat(57)}-${i}`,
      accelerators: 1,
    }));
    const seen = { allocations: [], sleepers, batches: [] };
    const asleep = account(emptyLedger('team'), seen, MIDNIGHT);
    expect(account(asleep, seen, MIDNIGHT + HOUR_MS)).toBe(asleep);
    expect(Buffer.byteLength(openText(asleep, () => true))).toBeLessThan(MEBIBYTE);
  });

  it('fits into a ConfigMap for any team, and gives up detail before it gives up sums', () => {
    const ledger = busy({ models: 60, days: 30 });
    const name = 'a-model-with-quite-a-long-name-7';
    const archived = archiveText(ledger, (date) => date === '2026-11-28');
    expect(Buffer.byteLength(archived.text)).toBeLessThan(MEBIBYTE);
    expect(allOf(archived.ledger, name)).toEqual(allOf(ledger, name));
    const read = readLedger(
      openText(archived.ledger, (date) => date === '2026-11-28'),
      archived.text,
    )?.ledger;
    expect(allOf(read as Ledger, name)).toEqual(allOf(ledger, name));
    expect(Buffer.byteLength(openText(busy({ models: 500, days: 1 }), () => true))).toBeLessThan(MEBIBYTE);
  });

  it('has whole months of what is older than 35 days, for a year', () => {
    const ledger = busy({ models: 1, days: 30 });
    const name = 'a-model-with-quite-a-long-name-0';
    const later = rollUp(ledger, MIDNIGHT + 20 * DAY_MS, () => false);
    expect(later.days.size).toBeLessThan(ledger.days.size);
    expect([...later.months.keys()]).toEqual(['2026-10', '2026-11']);
    expect(allOf(later, name)).toEqual(allOf(ledger, name));
    expect(rollUp(ledger, MIDNIGHT + 20 * DAY_MS, () => true)).toEqual(ledger);
    const yearLater = rollUp(later, MIDNIGHT + 360 * DAY_MS, () => false);
    expect([...yearLater.months.keys()]).toEqual(['2026-11']);
  });
});
