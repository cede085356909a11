import { describe, expect, it } from 'vitest';
import type { Advice, RuleName } from '../../../operator/advice/advice.ts';
import { advise } from '../../../operator/advice/advise.ts';
import { HOUR_MS } from '../../../operator/usage/periods.ts';
import { pool } from '../render/support/objects.ts';
import { evidence, otherPool, subject } from './support/subjects.ts';

type Given = Parameters<typeof advise>;

function adviceOf(rule: RuleName, ...given: Given): Advice | undefined {
  return advise(...given).advice.find((advice) => advice.rule === rule);
}

function lackOf(rule: RuleName, ...given: Given): string | undefined {
  return advise(...given).lacks.find((lack) => lack.rule === rule)?.needs;
}

const specs = (advice: Advice | undefined) => advice?.patches.map(({ spec }) => spec);
const range = (minReplicas: number, maxReplicas: number) => ({ scaling: { minReplicas, maxReplicas } });
/** Busy from 7 to 19 o'clock, UTC. */
const byDay = (hour: number) =>
  hour >= 7 && hour < 19 ? { peakInFlight: 35 } : { peakInFlight: 0, requests: 0, longestRequest: 0 };

describe('replicas that were never needed', () => {
  it('are taken from the minimum, but for a spare one', () => {
    const advice = adviceOf(
      'ReplicasUnused',
      subject(range(6, 8)),
      evidence(7, () => ({ peakInFlight: 25 })),
    );
    expect(advice?.change).toBe('lower minReplicas from 6 to 4');
    expect(advice?.evidence).toContain('saw at most 25 requests in flight or waiting, for which 3 of 6');
    expect(specs(advice)).toEqual([{ scaling: { minReplicas: 4, maxReplicas: 8 } }]);
    expect(advice?.saving).toEqual({ acceleratorHours: 1_460, money: 4_380, isEstimate: false });
  });

  it('are taken from a fixed number', () => {
    const advice = adviceOf('ReplicasUnused', subject({ scaling: { replicas: 5 } }), evidence(7));
    expect(specs(advice)).toEqual([{ scaling: { replicas: 2 } }]);
  });

  it('are taken from the minimum of a model that an external autoscaler scales', () => {
    const scaling = { mode: 'External', replicas: 6, minReplicas: 5 } as const;
    const advice = adviceOf('ReplicasUnused', subject({ scaling }), evidence(7));
    expect(specs(advice)).toEqual([{ scaling: { minReplicas: 2 } }]);
  });

  it('keep the maximum where it follows from the minimum', () => {
    const advice = adviceOf('ReplicasUnused', subject({ scaling: { minReplicas: 4 } }), evidence(7));
    expect(specs(advice)).toEqual([{ scaling: { minReplicas: 2, maxReplicas: 4 } }]);
  });

  it('let a model sleep that nobody used, and leave the schedule out', () => {
    const unused = evidence(14, () => ({ peakInFlight: 0, requests: 0, longestRequest: 0 }));
    const { advice } = advise(subject({}), unused);
    expect(advice.map(({ rule }) => rule)).toEqual(['ReplicasUnused']);
    expect(specs(advice[0])).toEqual([{ scaling: { replicas: null, minReplicas: 0, maxReplicas: 1 } }]);
    expect(advice[0]?.saving.money).toBe(2_190);
  });

  it('are not advised against where the peak needs them, nor before a week, nor while the demand was unknown', () => {
    const given = subject(range(4, 8));
    expect(
      adviceOf(
        'ReplicasUnused',
        given,
        evidence(7, () => ({ peakInFlight: 21 })),
      ),
    ).toBeUndefined();
    expect(lackOf('ReplicasUnused', given, evidence(6.96))).toBe(
      '7 days of record with running replicas; there are 6.9',
    );
    expect(
      lackOf(
        'ReplicasUnused',
        given,
        evidence(10, () => ({ watchedMs: HOUR_MS / 2 })),
      ),
    ).toBe('7 days of record with running replicas; the demand was known for 5.0');
  });

  it('count only in the hours in which the autoscaler did not hold them anyway', () => {
    const given = subject(range(6, 8));
    const seen = evidence(7, (hour) => ({ peakInFlight: hour < 12 ? 31 : 0 }));
    // Five are enough: four for 31 requests, and a spare one.
    expect(adviceOf('ReplicasUnused', given, seen)?.saving.acceleratorHours).toBe(730);
  });
});

describe('quiet hours', () => {
  it('get a schedule that ends an hour before the first use', () => {
    const advice = adviceOf('QuietHours', subject(range(2, 4)), evidence(14, byDay));
    expect(advice?.change).toBe('lower the minimum from 2 to 0 from 19:00 to 06:00 UTC, every day');
    expect(specs(advice)).toEqual([
      {
        scaling: {
          minReplicas: 2,
          maxReplicas: 4,
          schedules: [
            { name: 'quiet-hours', start: '0 19 * * *', end: '0 6 * * *', timeZone: 'UTC', minReplicas: 0 },
          ],
        },
      },
    ]);
    expect(advice?.saving.acceleratorHours).toBeCloseTo((2 * 11 * 730) / 24);
  });

  it('turn a fixed number into a minimum and a maximum', () => {
    const [spec] =
      specs(adviceOf('QuietHours', subject({ scaling: { replicas: 3 } }), evidence(14, byDay))) ?? [];
    expect(spec).toMatchObject({ scaling: { replicas: null, minReplicas: 3, maxReplicas: 3 } });
  });

  it('keep what little demand needs, and a spare one', () => {
    const seen = evidence(14, (hour) => ({ peakInFlight: hour < 8 ? 3 : 55 }));
    const advice = adviceOf('QuietHours', subject(range(6, 8)), seen);
    expect(advice?.change).toBe('lower the minimum from 6 to 2 from 00:00 to 07:00 UTC, every day');
  });

  it('build on the minimum that other advice lowers, so that savings add up', () => {
    const { advice } = advise(subject(range(8, 8)), evidence(14, byDay));
    expect(advice.map(({ rule, change }) => [rule, change]).slice(0, 2)).toEqual([
      ['ReplicasUnused', 'lower minReplicas from 8 to 5'],
      ['QuietHours', 'lower the minimum from 5 to 0 from 19:00 to 06:00 UTC, every day'],
    ]);
    expect(advice[0]?.saving.acceleratorHours).toBeCloseTo(3 * 730);
    expect(advice[1]?.saving.acceleratorHours).toBeCloseTo((5 * 11 * 730) / 24);
  });

  it('need two weeks, and no request in them on any day', () => {
    expect(lackOf('QuietHours', subject(range(2, 4)), evidence(10, byDay))).toBe(
      '14 days of record with running replicas; there are 10.0',
    );
    const seen = evidence(14, byDay);
    const busy = seen.hours.map((hour, at) =>
      at === 4 * 24 + 1 ? { ...hour, requests: 1, peakInFlight: 1 } : hour,
    );
    const advice = adviceOf('QuietHours', subject(range(1, 4)), { ...seen, hours: busy });
    expect(advice?.change).toBe('lower the minimum from 1 to 0 from 19:00 to 00:00 UTC, every day');
  });

  it('are those in which the demand was known', () => {
    const seen = evidence(20, (hour) => ({ ...byDay(hour), ...(hour === 2 && { watchedMs: HOUR_MS / 2 }) }));
    const advice = adviceOf('QuietHours', subject(range(1, 4)), seen);
    expect(advice?.change).toContain('from 19:00 to 01:00 UTC');
  });

  it('are left to the schedules that a model has', () => {
    const night = { name: 'night', start: '0 0 * * *', end: '0 5 * * *', minReplicas: 0 };
    const { advice } = advise(
      subject({ scaling: { minReplicas: 9, maxReplicas: 9, schedules: [night] } }),
      evidence(14, byDay),
    );
    expect(advice.filter(({ rule }) => rule === 'QuietHours' || rule === 'ReplicasUnused')).toEqual([]);
  });
});

describe('a context that was never used', () => {
  it('is shortened to the longest request and a quarter more, which alone saves nothing', () => {
    const advice = adviceOf(
      'ContextUnused',
      subject({}),
      evidence(7, () => ({ longestRequest: 3_000 })),
    );
    expect(advice?.change).toBe('lower maxModelLen from 32768 to 4096');
    expect(specs(advice)).toEqual([{ engine: { maxModelLen: 4_096 } }]);
    expect(advice?.saving.money).toBe(0);
  });

  it('saves money where the model then fits on cheaper accelerators', () => {
    const given = subject(
      { model: { source: 'hf://Qwen/Qwen3-32B' }, engine: { maxModelLen: 40_960 } },
      { pool: pool('H200', { accelerator: { hourlyCost: '4' } }), otherPools: [otherPool('H100', '3')] },
    );
    const seen = evidence(7, () => ({ peakInFlight: 1, longestRequest: 3_000 }));
    const advice = adviceOf('ContextUnused', given, seen);
    expect(advice?.change).toBe(
      'lower maxModelLen from 40960 to 4096: it then fits on H100 in pool platform/others',
    );
    expect(specs(advice)).toEqual([
      { engine: { maxModelLen: 4_096 }, poolRef: { name: 'others', namespace: 'platform' } },
    ]);
    expect(advice?.saving.money).toBe(730);
    expect(adviceOf('KVCacheUnused', given, seen)).toBeUndefined();
  });

  it('is not advised while half of it is used, nor with few requests, nor without their length', () => {
    expect(
      adviceOf(
        'ContextUnused',
        subject({}),
        evidence(7, () => ({ longestRequest: 14_000 })),
      ),
    ).toBeUndefined();
    expect(
      lackOf(
        'ContextUnused',
        subject({}),
        evidence(7, () => ({ requests: 1 })),
      ),
    ).toBe('1000 answered requests; there are 168');
    expect(lackOf('ContextUnused', subject({}), evidence(3))).toBe('7 days of record; there are 3.0');
    expect(
      lackOf(
        'ContextUnused',
        subject({}),
        evidence(7, () => ({ longestRequest: 0 })),
      ),
    ).toContain('length');
  });
});

describe('a KV cache that was never used', () => {
  const busy = (peakInFlight: number) => evidence(7, () => ({ peakInFlight }));

  const h200 = pool('H200', { accelerator: { hourlyCost: '4' } });

  it('moves the model to the cheapest accelerators of another pool that are fast enough', () => {
    const otherPools = [otherPool('B200', '7'), otherPool('L4', '0.5'), otherPool('H100', '3')];
    const advice = adviceOf('KVCacheUnused', subject({}, { pool: h200, otherPools }), busy(10));
    expect(advice?.change).toBe('use H100 in pool platform/others');
    expect(advice?.evidence).toBe(
      'the operator saw at most 10 requests that one replica can have at once, and the longest had 500 tokens: together 1 % of the KV cache of a replica',
    );
    expect(advice?.caution).toContain('up to 1.4 times as long');
    expect(specs(advice)).toEqual([{ poolRef: { name: 'others', namespace: 'platform' } }]);
    expect(advice?.saving).toEqual({ acceleratorHours: 0, money: 730, isEstimate: false });
  });

  it('changes a pool that no other model uses, with prices in proportion to the hints of the catalog', () => {
    const given = subject({}, { isAlone: true, pool: h200 });
    const advice = adviceOf('KVCacheUnused', given, busy(10));
    expect(advice?.patches).toEqual([
      {
        kind: 'InferencePool',
        namespace: 'platform',
        name: 'gpus',
        spec: { accelerator: { type: 'H100', hourlyCost: null } },
      },
    ]);
    expect(advice?.saving.isEstimate).toBe(true);
    expect(advice?.saving.money).toBeCloseTo((4 - (2.95 / 4) * 4) * 730);
  });

  it('does not change the type of a pool that names its nodes, nor take more accelerators than the pool may have', () => {
    const nodes = pool('H200', { accelerator: { hourlyCost: '4', nodeSelector: { gpu: 'h200' } } });
    expect(adviceOf('KVCacheUnused', subject({}, { isAlone: true, pool: nodes }), busy(10))).toBeUndefined();
    const b200 = (accelerators?: number) =>
      pool('B200', {
        accelerator: { hourlyCost: '7' },
        ...(accelerators !== undefined && { capacity: { accelerators } }),
      });
    const onB200 = (accelerators?: number) =>
      adviceOf('KVCacheUnused', subject({}, { isAlone: true, pool: b200(accelerators) }), busy(10))?.change;
    expect(onB200()).toContain('H100x2');
    expect(onB200(1)).toBeUndefined();
  });

  it('stays where it is while it is needed, or was not measured, or replicas are to be fewer', () => {
    const where = { pool: h200, otherPools: [otherPool('H100', '3')] };
    const long = evidence(7, () => ({ peakInFlight: 40, longestRequest: 30_000 }));
    expect(adviceOf('KVCacheUnused', subject({}, where), long)).toBeUndefined();
    expect(
      lackOf(
        'KVCacheUnused',
        subject({}, where),
        evidence(7, () => ({ longestRequest: 0 })),
      ),
    ).toBe('the length of requests, which no answer of an engine stated');
    const rules = advise(subject(range(6, 8), where), busy(10)).advice.map(({ rule }) => rule);
    expect(rules).toEqual(['ReplicasUnused', 'ContextUnused']);
  });
});

describe('sleep that costs more than it saves', () => {
  const woken = (wakes: number, more = {}) =>
    evidence(7, (hour) => (hour === 0 ? { wakes, coldStartMs: wakes * 200_000 } : {}), more);
  const sleeper = subject({ scaling: { minReplicas: 0, maxReplicas: 1, idleTimeout: '60s' } });

  it('gets a longer idleTimeout', () => {
    const advice = adviceOf('SleepCostsMore', sleeper, woken(10, { asleepMs: 70 * 90_000 }));
    expect(advice?.change).toBe('raise idleTimeout from 60s to 5m');
    expect(advice?.evidence).toContain(
      '70 times a request woke the model; for each time it had slept 90 s on average, and a pod held accelerators for 200 s',
    );
    expect(specs(advice)).toEqual([{ scaling: { idleTimeout: '5m' } }]);
    expect(advice?.saving.acceleratorHours).toBeCloseTo((70 * 110_000 * 730) / (7 * 24 * HOUR_MS));
  });

  it('needs twenty starts, a model that sleeps, and cold starts that take longer', () => {
    expect(lackOf('SleepCostsMore', sleeper, woken(2))).toBe(
      '7 days of record and 20 starts of the model; there are 7.0 days and 14 starts',
    );
    expect(adviceOf('SleepCostsMore', sleeper, woken(10, { asleepMs: 70 * 300_000 }))).toBeUndefined();
    expect(adviceOf('SleepCostsMore', subject(range(1, 2)), woken(10))).toBeUndefined();
  });

  it('is the only advice about replicas of a model that sleeps', () => {
    const { advice, lacks } = advise(sleeper, evidence(14, byDay));
    const rules = [...advice, ...lacks].map(({ rule }) => rule);
    expect(rules).not.toContain('ReplicasUnused');
    expect(rules).not.toContain('QuietHours');
  });
});

describe('money', () => {
  it('is that of the catalog, marked so, for a pool without a price, and absent without any', () => {
    const hint = advise(subject(range(6, 8), { pool: pool('H100') }), evidence(7)).advice[0];
    expect(hint?.saving).toMatchObject({ isEstimate: true, money: 4 * 730 * 2.95 });
    const custom = {
      type: 'custom',
      custom: { resourceName: 'acme.com/npu', count: 1, memoryGiB: 80 },
    } as const;
    const none = advise(subject(range(6, 8), { pool: pool('custom', { accelerator: custom }) }), evidence(7))
      .advice[0];
    expect(none?.saving).toEqual({ acceleratorHours: 4 * 730, isEstimate: false });
  });

  it('is saved by nothing while the model is suspended', () => {
    expect(advise(subject({ suspend: true, scaling: { replicas: 9 } }), evidence(14))).toEqual({
      advice: [],
      lacks: [],
    });
  });
});
