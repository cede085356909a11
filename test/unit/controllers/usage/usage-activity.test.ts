import { describe, expect, it } from 'vitest';
import { INTERVAL_MS } from '../../../../operator/controllers/usage/usage-recorder.ts';
import { setUpRecording } from './support/recording.ts';

const { signal } = new AbortController();

describe('recording of activity', () => {
  it('has the highest demand that routers reported between two rounds', async () => {
    const { operator, pass, start, counted, setRouters, reports } = setUpRecording();
    const recorder = operator();
    setRouters('one', 'two');
    start('a');
    reports('one', 2, 1);
    reports('two', 4);
    reports('one', 0);
    await pass(INTERVAL_MS);
    await recorder.round(signal);
    expect(counted(recorder)).toMatchObject({ peakInFlight: 7, watchedMs: INTERVAL_MS });
  });

  it('begins with the demand at the end of the interval before', async () => {
    const { operator, pass, pool, start, setRouters, reports } = setUpRecording();
    const recorder = operator();
    setRouters('one');
    start('a');
    reports('one', 5);
    await pass(60 * INTERVAL_MS);
    await recorder.round(signal);
    reports('one', 1);
    await pass(INTERVAL_MS);
    await recorder.round(signal);
    await pass(INTERVAL_MS);
    await recorder.round(signal);
    const midnight = recorder.ledgers(pool).get('platform')?.days.get('2026-11-28')?.models.get('chat');
    expect(midnight?.get(0)).toMatchObject({ peakInFlight: 5, watchedMs: 2 * INTERVAL_MS });
  });

  it('is not watched while a router of the pool is silent, nor before it is back', async () => {
    const { operator, clock, pass, start, counted, setRouters, reports } = setUpRecording();
    const recorder = operator();
    setRouters('one', 'two');
    start('a');
    reports('one', 1);
    await pass(INTERVAL_MS);
    await recorder.round(signal);
    expect(counted(recorder), 'one never reported').toMatchObject({ watchedMs: 0, peakInFlight: 1 });
    reports('two', 0);
    await clock.advance(20_000);
    reports('one', 0);
    reports('two', 0);
    await pass(40_000);
    await recorder.round(signal);
    expect(counted(recorder)).toMatchObject({ watchedMs: 40_000 });
  });

  it('bounds what a compromised router says, so that the record stays valid', async () => {
    const { operator, pass, pool, start, counted, setRouters, reports } = setUpRecording();
    const recorder = operator();
    setRouters('one');
    start('a');
    reports('one', 0.5);
    await pass(INTERVAL_MS);
    await recorder.round(signal);
    expect(counted(recorder)?.peakInFlight).toBe(1);
    reports('one', Number.MAX_SAFE_INTEGER, 0.5);
    await pass(INTERVAL_MS);
    await recorder.round(signal);
    expect(counted(recorder)?.peakInFlight).toBe(1_000_000);
    const next = operator();
    await next.round(signal);
    expect(next.ledgers(pool).get('platform')?.days).toEqual(recorder.ledgers(pool).get('platform')?.days);
  });

  it('has each cold start once', async () => {
    const { operator, counted, coldStart } = setUpRecording();
    const recorder = operator();
    await coldStart(90_000);
    await coldStart(30_000);
    await recorder.round(signal);
    await recorder.round(signal);
    expect(counted(recorder)).toMatchObject({ wakes: 2, coldStartMs: 120_000 });
  });

  it('loses at most an interval when the leader changes, and counts none twice', async () => {
    const { operator, pass, start, counted, setRouters, reports, coldStart } = setUpRecording();
    const first = operator();
    setRouters('one');
    await coldStart(30_000);
    start('a');
    reports('one', 3);
    await pass(INTERVAL_MS);
    await first.round(signal);
    // The first leader stores none of this.
    await pass(INTERVAL_MS / 2);
    const second = operator();
    setRouters('one');
    reports('one', 1);
    await pass(INTERVAL_MS);
    await second.round(signal);
    const stored = { watchedMs: 2 * INTERVAL_MS, peakInFlight: 3, wakes: 1, coldStartMs: 30_000 };
    expect(counted(second)).toMatchObject(stored);
  });
});
