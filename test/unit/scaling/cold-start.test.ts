import fc from 'fast-check';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { inferenceModelStatus } from '../../../operator/api/inference-model.ts';
import { Store } from '../../../operator/kube/store.ts';
import {
  advanceColdStart,
  COLD_START_PHASES,
  type ColdStartEvent,
  formatColdStart,
  isColdStartComplete,
  NO_COLD_START,
  type StartingPod,
  splitColdStart,
} from '../../../operator/scaling/cold-start.ts';
import { ColdStartRecorder } from '../../../operator/scaling/cold-start-recorder.ts';
import { FakeClock } from '../kube/support/fake-clock.ts';

/** Wall time of monotonic zero. */
const WALL = Date.parse('2026-01-14T12:00:00Z');
const text = (at: number) => `${new Date(WALL + at).toISOString().slice(0, 19)}Z`;

/** A pod with the steps that it has taken, each at a monotonic time as the pod's own clock would write it. */
function pod(
  steps: { scheduled?: number; started?: number; ready?: number },
  uid = 'a',
  deleted = false,
): StartingPod {
  const { scheduled, started, ready } = steps;
  return {
    metadata: { uid, ...(deleted && { deletionTimestamp: text(0) }) },
    status: {
      conditions: [
        ...(scheduled === undefined
          ? []
          : [{ type: 'PodScheduled', status: 'True', lastTransitionTime: text(scheduled) }]),
        {
          type: 'Ready',
          status: ready === undefined ? 'False' : 'True',
          lastTransitionTime: text(ready ?? 0),
        },
      ],
      containerStatuses: [{ state: started === undefined ? {} : { running: { startedAt: text(started) } } }],
    },
  };
}
const pods = (at: number, ...list: StartingPod[]): ColdStartEvent => ({
  type: 'pods',
  at,
  wall: WALL + at,
  pods: list,
});
const split = (...events: ColdStartEvent[]) => splitColdStart(events.reduce(advanceColdStart, NO_COLD_START));

const WHOLE: ColdStartEvent[] = [
  { type: 'held', at: 1000 },
  { type: 'scaled', at: 1020 },
  pods(1100, pod({})),
  pods(1250, pod({ scheduled: 1000 })),
  pods(4250, pod({ scheduled: 1000, started: 4000 })),
  pods(34_250, pod({ scheduled: 1000, started: 4000, ready: 34_000 })),
  { type: 'routed', at: 34_300 },
  { type: 'firstByte', at: 34_450 },
];

describe('a cold start', () => {
  it('is split at what the operator saw happen', () => {
    expect(split(...WHOLE)).toEqual({
      detect: 20,
      schedule: 230,
      pull: 3000,
      load: 30_000,
      ready: 50,
      firstByte: 150,
    });
  });

  it('takes from the pod what the operator saw too late', () => {
    const late = [
      { type: 'scaled', at: 1000 } as const,
      pods(60_000, pod({ scheduled: 2000, started: 10_000, ready: 40_000 })),
      { type: 'routed', at: 60_500 } as const,
    ];
    expect(split(...late)).toEqual({ schedule: 1000, pull: 8000, load: 30_000, ready: 20_500 });
    const leap = [
      { type: 'scaled', at: 1000 } as const,
      pods(1500, pod({})),
      pods(9700, pod({ scheduled: 2000, started: 9000 })),
    ];
    expect(split(...leap)).toEqual({ schedule: 1000, pull: 7700 });
  });

  it('ignores timestamps that contradict observations', () => {
    const ahead = [
      { type: 'scaled', at: 1000 } as const,
      pods(5000, pod({ scheduled: 90_000, started: 91_000 })),
    ];
    expect(split(...ahead)).toEqual({ schedule: 4000, pull: 0 });
    const behind = [
      { type: 'scaled', at: 1000 } as const,
      pods(5000, pod({ scheduled: -90_000, started: 4000 })),
    ];
    expect(split(...behind)).toEqual({ schedule: 0, pull: 3000 });
  });

  it('is that of the pod that was ready first', () => {
    const slow = pod({ scheduled: 1000 }, 'slow');
    const events = [
      { type: 'scaled', at: 1000 } as const,
      pods(1100, pod({}), slow),
      pods(1200, pod({ scheduled: 1000 }), slow),
      pods(3000, pod({ scheduled: 1000, started: 3000 }), slow),
      pods(4000, pod({ scheduled: 1000, started: 3000, ready: 4000 }), slow),
      { type: 'routed', at: 4010 } as const,
    ];
    expect(split(...events)).toEqual({ schedule: 200, pull: 1800, load: 1000, ready: 10 });
  });

  it('leaves out pods that still end', () => {
    const old = pod({ scheduled: -9000, started: -8000, ready: -7000 }, 'old', true);
    expect(split({ type: 'scaled', at: 1000 }, pods(1100, old, pod({})))).toEqual({});
  });

  it('has no negative part when routers learn of an engine before the operator does', () => {
    const events = [
      { type: 'scaled', at: 1000 } as const,
      pods(1200, pod({ scheduled: 1000, started: 1000 })),
      { type: 'routed', at: 2000 } as const,
    ];
    expect(split(...events)).toEqual({ schedule: 0, pull: 0, load: 1000, ready: 0 });
  });

  it('counts from the first of the requests that still wait', () => {
    const events: ColdStartEvent[] = [
      { type: 'held', at: 0 },
      { type: 'released' },
      { type: 'held', at: 500 },
      { type: 'held', at: 600 },
      { type: 'scaled', at: 620 },
      { type: 'released' },
      { type: 'held', at: 700 },
    ];
    expect(split(...events)).toEqual({ detect: 120 });
  });

  it('is complete with the first response, or once it serves if no request waited', () => {
    const steps = WHOLE.map((_, index) =>
      isColdStartComplete(WHOLE.slice(0, index + 1).reduce(advanceColdStart, NO_COLD_START)),
    );
    expect(steps.lastIndexOf(false)).toBe(WHOLE.length - 2);
    expect(isColdStartComplete(WHOLE.slice(1, 7).reduce(advanceColdStart, NO_COLD_START))).toBe(true);
  });

  it('has parts that are never negative and add up to the whole, whatever pods say', () => {
    const time = fc.integer({ min: -100_000, max: 100_000 });
    const event = fc.record({
      after: fc.integer({ min: 0, max: 20_000 }),
      scheduled: fc.option(time, { nil: undefined }),
      started: fc.option(time, { nil: undefined }),
      ready: fc.option(time, { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 8 }), fc.nat(5000), (looks, detect) => {
        let at = 1000 + detect;
        const events: ColdStartEvent[] = [
          { type: 'held', at: 1000 },
          { type: 'scaled', at },
        ];
        for (const { after, ...steps } of looks) {
          at += after;
          events.push(pods(at, pod(steps as Parameters<typeof pod>[0])));
        }
        events.push(pods(at, pod({ scheduled: 0, started: 0, ready: 0 })));
        events.push({ type: 'routed', at: at + 10 }, { type: 'firstByte', at: at + 30 });
        const parts = split(...events);
        expect(Object.keys(parts)).toEqual([...COLD_START_PHASES]);
        for (const ms of Object.values(parts)) expect(ms).toBeGreaterThanOrEqual(0);
        expect(Object.values(parts).reduce((sum, ms) => sum + ms, 0)).toBeCloseTo(at + 30 - 1000, 6);
      }),
    );
  });
});

it('writes durations that the API takes', () => {
  const written = formatColdStart({
    detect: 0.4,
    schedule: 1234.4,
    pull: 12_340,
    load: 125_000,
    ready: 600_040,
  });
  expect(written).toEqual({
    detect: '0ms',
    schedule: '1s234ms',
    pull: '12s300ms',
    load: '2m5s',
    ready: '10m',
  });
  expect(inferenceModelStatus.parse({ coldStart: written }).coldStart).toEqual(written);
});

describe('the recorder', () => {
  const model = { apiVersion: 'v1', kind: 'Model', metadata: { name: 'm', namespace: 'ns', uid: 'm' } };
  const aStore = () => {
    const models = new Store();
    models.upsert(model);
    return models;
  };

  it('keeps the last split of each model and observes its parts', async () => {
    const clock = new FakeClock({ wall: WALL });
    const registry = new Registry();
    const recorded: string[] = [];
    const recorder = new ColdStartRecorder({
      clock,
      registry,
      models: aStore(),
      onRecorded: (uid) => recorded.push(uid),
    });
    recorder.held('m');
    await clock.advance(30);
    recorder.scaled('m');
    recorder.pods('m', [pod({})]);
    await clock.advance(200);
    recorder.pods('m', [pod({ scheduled: 0 })]);
    await clock.advance(1000);
    recorder.pods('m', [pod({ scheduled: 0, started: 1000 })]);
    await clock.advance(5000);
    recorder.pods('m', [pod({ scheduled: 0, started: 1000, ready: 6000 })]);
    await clock.advance(40);
    recorder.routed('m');
    expect(recorder.last('m')).toBeUndefined();
    await clock.advance(60);
    recorder.firstByte('m');
    const last = {
      detect: '30ms',
      schedule: '200ms',
      pull: '1s',
      load: '5s',
      ready: '40ms',
      firstByte: '60ms',
    };
    expect(recorder.last('m')).toEqual(last);
    expect(recorded).toEqual(['m']);
    const metrics = await registry.metrics();
    expect(metrics).toContain('vllm_operator_cold_start_seconds_sum{phase="load"} 5');
    expect(metrics).toContain('vllm_operator_cold_start_seconds_count{phase="firstByte"} 1');
    const held = 1_000 + 5_000 + 40;
    expect(recorder.takeWakes('m')).toEqual({ wakes: 1, coldStartMs: held });
    expect(recorder.takeWakes('m'), 'once').toEqual({ wakes: 0, coldStartMs: 0 });
    // What comes after belongs to no start.
    recorder.firstByte('m');
    recorder.pods('m', [pod({})]);
    expect(recorded).toEqual(['m']);
  });

  it('counts no wake for a start that no request waited for', () => {
    const clock = new FakeClock({ wall: WALL });
    const recorder = new ColdStartRecorder({ clock, models: aStore() });
    recorder.scaled('m');
    recorder.routed('m');
    expect(recorder.last('m')).toBeDefined();
    expect(recorder.takeWakes('m').wakes).toBe(0);
  });

  it('discards a failed start, and records one whose client disconnected', async () => {
    const clock = new FakeClock({ wall: WALL });
    const models = aStore();
    const recorder = new ColdStartRecorder({ clock, models });
    recorder.held('m');
    recorder.scaled('m');
    recorder.gaveUp('m');
    recorder.routed('m');
    expect(recorder.last('m')).toBeUndefined();
    recorder.held('m');
    recorder.scaled('m');
    await clock.advance(3000);
    recorder.routed('m');
    recorder.scaled('m');
    expect(recorder.last('m')).toMatchObject({ detect: '0ms', ready: '0ms' });
    models.remove(model);
    expect(recorder.last('m')).toBeUndefined();
  });
});

describe('the first byte', () => {
  const run = (events: ColdStartEvent[]) => events.reduce(advanceColdStart, NO_COLD_START);
  const begin: ColdStartEvent[] = [
    { type: 'held', at: 0 },
    { type: 'scaled', at: 10 },
  ];

  it('may come before every router has confirmed its table', () => {
    const start = run([
      ...begin,
      { type: 'pods', at: 20, wall: WALL + 20, pods: [pod({})] },
      {
        type: 'pods',
        at: 2_000,
        wall: WALL + 2_000,
        pods: [pod({ scheduled: 30, started: 1_000, ready: 2_000 })],
      },
      { type: 'firstByte', at: 2_100 },
    ]);
    expect(isColdStartComplete(start)).toBe(true);
    expect(splitColdStart(start)).toMatchObject({ detect: 10, firstByte: 0 });
  });

  it('cannot come while no engine is up: then a client has given up', () => {
    expect(isColdStartComplete(run([...begin, { type: 'firstByte', at: 100 }]))).toBe(false);
  });
});
