import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConfigMap } from '../../../../operator/controllers/shared/workloads.ts';
import { INTERVAL_MS } from '../../../../operator/controllers/usage/usage-recorder.ts';
import { secondTime } from '../../../../operator/kube/clock.ts';
import { engineLabels } from '../../../../operator/render/labels.ts';
import { aModel, aPool } from '../fixtures.ts';
import { put } from '../support.ts';
import { setUpRecording } from './support/recording.ts';

const { signal } = new AbortController();

describe('recording of usage', () => {
  it('counts what pods hold, from their start to their end, and writes nothing while there are none', async () => {
    const { operator, clock, start, stop, used, writes } = setUpRecording();
    const recorder = operator();
    await recorder.round(signal);
    expect(writes).toEqual([]);
    start('a');
    await clock.advance(90_000);
    await recorder.round(signal);
    await clock.advance(45_000);
    stop('a');
    await clock.advance(15_000);
    await recorder.round(signal);
    expect(used(recorder)).toBe(2 * 135_000);
    expect(writes).toEqual(['usage.platform.pool', 'usage.platform.pool']);
    await clock.advance(60_000);
    await recorder.round(signal);
    expect(writes).toHaveLength(2);
  });

  it('counts a pod that came and went between two rounds', async () => {
    const { operator, clock, start, stop, used } = setUpRecording();
    const recorder = operator();
    await recorder.round(signal);
    start('a');
    await clock.advance(20_000);
    stop('a');
    await clock.advance(40_000);
    await recorder.round(signal);
    expect(used(recorder)).toBe(2 * 20_000);
  });

  it('counts how long a pod was ready, also if it is not any more', async () => {
    const { operator, clock, state, start, stop, counted } = setUpRecording();
    const recorder = operator();
    const turn = (ready: 'True' | 'False') => {
      const pod = state.pods.store.get({ namespace: 'platform', name: 'a' });
      const lastTransitionTime = secondTime(clock.now());
      const conditions = [{ type: 'Ready', status: ready, lastTransitionTime }];
      if (pod) put(state.pods.store, { ...pod, status: { ...pod.status, conditions } });
    };
    start('a');
    await clock.advance(20_000);
    turn('True');
    await clock.advance(15_000);
    turn('False');
    await clock.advance(5_000);
    stop('a');
    await clock.advance(20_000);
    await recorder.round(signal);
    expect(counted(recorder)).toMatchObject({ acceleratorMs: 2 * 40_000, readyMs: 15_000 });
  });

  it('charges labels of other teams to nobody but those who have them on their pods', async () => {
    const { operator, clock, state, engine, pool } = setUpRecording();
    const pod = engine('forged');
    put(state.pods.store, { ...pod, metadata: { ...pod.metadata, namespace: 'stranger' } });
    await clock.advance(60_000);
    const recorder = operator();
    await recorder.round(signal);
    expect(recorder.ledgers(pool).size).toBe(0);
  });

  it('charges a pod to the pool of its model, whatever its labels say of the pool', async () => {
    const { operator, clock, state, engine, pool, used } = setUpRecording();
    const other = put(state.pools.store, aPool({}, { name: 'free', uid: 'uid-free' }));
    const relabel = (name: string) => {
      const pod = engine(name);
      const labels = engineLabels({ namespace: 'platform', name: 'chat' }, other.metadata);
      put(state.pods.store, { ...pod, metadata: { ...pod.metadata, labels } });
    };
    const recorder = operator();
    relabel('at-once');
    put(state.pods.store, engine('later'));
    await clock.advance(60_000);
    await recorder.round(signal);
    relabel('later');
    await clock.advance(60_000);
    await recorder.round(signal);
    expect(used(recorder)).toBe(2 * 2 * 120_000);
    expect(recorder.ledgers(other).size, 'nor to both').toBe(0);
    expect(recorder.ledgers(pool).size).toBe(1);
  });

  it('charges a pod to the pool that its model is in now, also if that was in the pool that the labels name', async () => {
    const { operator, clock, state, engine, pool, stop, used } = setUpRecording();
    const other = put(state.pools.store, aPool({}, { name: 'free', uid: 'uid-free' }));
    const inOther = (name: string) => {
      const pod = engine(name);
      const labels = engineLabels({ namespace: 'platform', name: 'chat' }, other.metadata);
      put(state.pods.store, { ...pod, metadata: { ...pod.metadata, labels } });
    };
    const move = (name: string, generation: number) =>
      put(state.models.store, aModel('chat', { poolRef: { name, namespace: 'platform' } }, { generation }));
    const recorder = operator();
    move('free', 2);
    inOther('before');
    await clock.advance(60_000);
    await recorder.round(signal);
    stop('before');
    await clock.advance(60_000);
    await recorder.round(signal);
    const before = recorder.ledgers(other).get('platform');
    move('pool', 3);
    inOther('relabelled');
    await clock.advance(60_000);
    await recorder.round(signal);
    expect(used(recorder)).toBe(2 * 60_000);
    expect(recorder.ledgers(other).get('platform')).toBe(before);
    expect(recorder.ledgers(pool).size).toBe(1);
  });

  it('archives yesterday once, and drops it from what is written every minute', async () => {
    const { operator, clock, start, server, writes } = setUpRecording();
    const recorder = operator();
    start('a');
    for (let minute = 0; minute < 64; minute++) {
      await clock.advance(60_000);
      await recorder.round(signal);
    }
    expect(writes.filter((name) => name === 'usage-archive.platform.pool')).toHaveLength(1);
    const open = server.objects.get('usage.platform.pool')?.data?.['usage.json'] ?? '';
    expect(Object.keys(JSON.parse(open).days)).toEqual(['2026-11-28']);
    const [next, before] = [operator(), writes.length];
    await next.round(signal);
    expect(next.ledgers(setUpRecording().pool).get('platform')?.days).toEqual(
      recorder.ledgers(setUpRecording().pool).get('platform')?.days,
    );
    expect(writes.length - before).toBeLessThanOrEqual(1);
  });

  it('loses and doubles nothing of running pods when operators die at any moment, across midnight', async () => {
    const life = fc.record({
      rounds: fc.integer({ min: 1, max: 30 }),
      writes: fc.integer({ min: 0, max: 30 }),
      downSeconds: fc.integer({ min: 0, max: 600 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 5 }), async (lives) => {
        const { operator, clock, start, used, dieAfter, routers, counted } = setUpRecording();
        let asked = 0;
        start('a');
        await clock.advance(30_000);
        start('b');
        const begun = clock.now();
        for (const { rounds, writes, downSeconds } of lives) {
          const recorder = operator();
          dieAfter(writes);
          for (let round = 0; round < rounds; round++) {
            await clock.advance(INTERVAL_MS);
            routers.ask(round);
            asked += round;
            await recorder.round(signal).catch(() => undefined);
          }
          await clock.advance(downSeconds * 1_000);
        }
        dieAfter(Number.POSITIVE_INFINITY);
        const last = operator();
        await last.round(signal);
        expect(used(last)).toBe(2 * (2 * (clock.now() - begun) + 30_000));
        // The first round may get a batch that an earlier operator has stored.
        await last.round(signal);
        expect(counted(last)).toMatchObject({
          requests: asked,
          promptTokens: 7 * asked,
          completionTokens: 3 * asked,
          longestRequest: asked > 0 ? 10 : 0,
        });
      }),
      { numRuns: 60 },
    );
  });

  it('loses at most one interval of each pod that goes while no operator runs', async () => {
    const step = fc.record({
      seconds: fc.integer({ min: 1, max: 30 }),
      does: fc.constantFrom('start', 'stop', 'round', 'die'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 80 }), async (steps) => {
        const { operator, clock, start, stop, used } = setUpRecording();
        let recorder = operator();
        let [sum, lost, count] = [0, 0, 0];
        let sinceRound = clock.now();
        const running = new Map<string, number>();
        const round = async () => {
          await recorder.round(signal);
          sinceRound = clock.now();
        };
        for (const { seconds, does } of steps) {
          await clock.advance(seconds * 1_000);
          // So that rounds are at most an interval apart.
          if (clock.now() - sinceRound > INTERVAL_MS / 2) await round();
          const [name] = running.keys();
          if (does === 'start') {
            count += 1;
            running.set(start(`p${count}`).metadata.name, clock.now());
          } else if (does === 'stop' && name !== undefined) {
            sum += 2 * (clock.now() - (running.get(name) ?? 0));
            running.delete(name);
            stop(name);
          } else if (does === 'round') await round();
          else if (does === 'die') {
            // It has not stored what it saw since its last round. What went since then is lost with it.
            recorder = operator();
            lost += 2 * count * INTERVAL_MS;
          }
        }
        await round();
        for (const since of running.values()) sum += 2 * (clock.now() - since);
        expect(used(recorder)).toBeLessThanOrEqual(sum);
        expect(used(recorder)).toBeGreaterThanOrEqual(sum - lost);
        if (!steps.some(({ does }) => does === 'die')) expect(used(recorder)).toBe(sum);
      }),
      { numRuns: 60 },
    );
  });

  it('loses at most one interval of a pod that went while no operator ran', async () => {
    const { operator, clock, start, stop, used } = setUpRecording();
    const first = operator();
    start('a');
    await clock.advance(INTERVAL_MS);
    await first.round(signal);
    await clock.advance(INTERVAL_MS - 1_000);
    stop('a');
    const second = operator();
    await clock.advance(INTERVAL_MS);
    await second.round(signal);
    expect(used(second)).toBe(2 * INTERVAL_MS);
  });

  it('charges pods on spot nodes the price of those', async () => {
    const spot = { spot: true, spotHourlyCost: '1.00' };
    const { operator, clock, state, engine, counted } = setUpRecording(spot);
    for (const nodeName of ['spot', 'other']) {
      const pod = engine(nodeName);
      put(state.pods.store, { ...pod, spec: { ...pod.spec, nodeName } });
    }
    await clock.advance(3_600_000);
    const recorder = operator();
    await recorder.round(signal);
    expect(counted(recorder)).toMatchObject({ acceleratorMs: 4 * 3_600_000, cost: (2 * 2.5 + 2 * 1) * 1e9 });
  });

  it('takes no record that the pool does not own', async () => {
    const { operator, clock, start, server, used } = setUpRecording();
    start('a');
    await clock.advance(60_000);
    await operator().round(signal);
    const record = server.objects.get('usage.platform.pool') as ConfigMap;
    const uid = 'another';
    record.metadata.ownerReferences = [{ apiVersion: 'v1', kind: 'InferencePool', name: 'pool', uid }];
    record.data = {
      'usage.json': JSON.stringify({ ...JSON.parse(record.data?.['usage.json'] ?? ''), days: {} }),
    };
    const next = operator();
    await next.round(signal);
    expect(used(next)).toBe(2 * 60_000);
  });
});
