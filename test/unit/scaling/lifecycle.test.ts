import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Demand } from '../../../operator/scaling/demand.ts';
import { decideLifecycle, type LifecycleInput } from '../../../operator/scaling/lifecycle.ts';

const quiet: Demand = { known: true, inFlight: 0, held: 0, queued: 0, lastUsed: 0, watchingSince: 0 };
const input = (more: Partial<LifecycleInput> = {}): LifecycleInput => ({
  now: 1_000_000,
  suspended: false,
  minReplicas: 0,
  idleTimeoutMs: 180_000,
  drainTimeoutMs: 60_000,
  replicas: 1,
  pods: 1,
  ready: 1,
  demand: quiet,
  granted: true,
  evicted: false,
  ...more,
});
const at = (more: Partial<LifecycleInput>) => decideLifecycle(input(more));
const demand = (more: Partial<Demand>): Demand => ({ ...quiet, ...more });
const drain = (confirmed: boolean) => ({ since: 999_000, confirmed });

describe('decideLifecycle', () => {
  it.each([
    ['sleeps on at zero', { replicas: 0, pods: 0, ready: 0 }, 'Idle', { do: 'nothing' }],
    ['shows pods that still stop', { replicas: 0, pods: 1, ready: 0 }, 'Draining', { do: 'nothing' }],
    [
      'wakes for a held request',
      { replicas: 0, pods: 0, ready: 0, demand: demand({ held: 1 }) },
      'Starting',
      { do: 'wake', replicas: 1, reason: 'Demand' },
    ],
    [
      'wakes to its minimum',
      { replicas: 0, pods: 0, ready: 0, minReplicas: 2 },
      'Starting',
      { do: 'wake', replicas: 2, reason: 'MinReplicas' },
    ],
    [
      'queues when the budget is full',
      { replicas: 0, pods: 0, ready: 0, granted: false, demand: demand({ held: 1 }) },
      'Idle',
      { do: 'queue' },
    ],
    ['waits for the first engine', { ready: 0 }, 'Starting', { do: 'nothing' }],
    [
      'gives up a start that cannot end well',
      { ready: 0, startFailure: { reason: 'ImagePullFailed', message: 'm' } },
      'Starting',
      { do: 'giveUp', reason: 'ImagePullFailed', message: 'm' },
    ],
    [
      'does not give up what must run',
      { ready: 0, minReplicas: 1, startFailure: { reason: 'ImagePullFailed', message: 'm' } },
      'Starting',
      { do: 'nothing' },
    ],
    ['serves', { demand: demand({ lastUsed: 999_000 }) }, 'Serving', { do: 'nothing' }],
    ['drains when idle for long enough', {}, 'Draining', { do: 'drain', reason: 'Idle' }],
    ['never drains below a minimum', { minReplicas: 1 }, 'Serving', { do: 'nothing' }],
    ['never drains on unknown demand', { demand: demand({ known: false }) }, 'Serving', { do: 'nothing' }],
    [
      'never drains with a request in flight',
      { demand: demand({ inFlight: 1, lastUsed: 0 }) },
      'Serving',
      { do: 'nothing' },
    ],
    ['waits until every router holds', { drain: drain(false) }, 'Draining', { do: 'nothing' }],
    ['sleeps once every router holds', { drain: drain(true) }, 'Draining', { do: 'sleep', reason: 'Idle' }],
    [
      'serves again when a request came meanwhile',
      { drain: drain(true), demand: demand({ held: 1 }) },
      'Serving',
      { do: 'undrain', reason: 'Demand' },
    ],
    [
      'serves again when a minimum came meanwhile',
      { drain: drain(true), minReplicas: 1 },
      'Serving',
      { do: 'undrain', reason: 'Resumed' },
    ],
    [
      'drains for another although requests wait',
      { evicted: true, demand: demand({ inFlight: 1 }) },
      'Draining',
      { do: 'drain', reason: 'Evicted' },
    ],
    [
      'lets running streams end before it gives way',
      { evicted: true, drain: drain(true), demand: demand({ inFlight: 1 }) },
      'Draining',
      { do: 'nothing' },
    ],
    [
      'gives way although requests wait',
      { evicted: true, drain: drain(true), demand: demand({ held: 3 }) },
      'Draining',
      { do: 'sleep', reason: 'Evicted' },
    ],
    ['drains when suspended', { suspended: true }, 'Draining', { do: 'drain', reason: 'Suspended' }],
    [
      'stops after the drain timeout when suspended',
      { suspended: true, drain: { since: 0, confirmed: true }, demand: demand({ inFlight: 1 }) },
      'Draining',
      { do: 'sleep', reason: 'Suspended' },
    ],
    [
      'stays suspended whatever is asked',
      { suspended: true, replicas: 0, pods: 0, ready: 0, demand: demand({ held: 9 }) },
      'Suspended',
      { do: 'nothing' },
    ],
  ] as const)('%s', (_name, change, state, action) => {
    expect(at(change as Partial<LifecycleInput>)).toMatchObject({ state, action });
  });

  it('backs off after a failed wake, and says when it looks again', () => {
    const failure = { reason: 'ImagePullFailed', message: 'm', retryAt: 1_030_000, since: 1_000_000 };
    const asleep = { replicas: 0, pods: 0, ready: 0, demand: demand({ held: 1 }), failure };
    expect(at(asleep)).toEqual({ state: 'Idle', action: { do: 'nothing' }, lookAgainMs: 30_000 });
    expect(at({ ...asleep, now: 1_030_000 }).action).toMatchObject({ do: 'wake' });
  });

  it('says when idleness will be complete', () => {
    expect(at({ demand: demand({ lastUsed: 900_000 }) }).lookAgainMs).toBe(80_000);
    expect(at({ demand: demand({ inFlight: 1 }) }).lookAgainMs).toBe(180_000);
    expect(at({ demand: demand({ known: false }) }).lookAgainMs).toBe(180_000);
    // Nothing else would tell: the request that came is over before anybody looks again.
    const used = { drain: drain(false), demand: demand({ lastUsed: 999_990 }) };
    expect(at(used)).toMatchObject({ action: { do: 'undrain' }, lookAgainMs: 180_000 });
  });

  it('goes to zero only with nothing in flight, nothing unknown and every router confirmed', () => {
    const anyInput = fc.record({
      now: fc.integer({ min: 0, max: 1_000_000 }),
      suspended: fc.constant(false),
      minReplicas: fc.integer({ min: 0, max: 2 }),
      idleTimeoutMs: fc.integer({ min: 0, max: 500_000 }),
      drainTimeoutMs: fc.constant(60_000),
      replicas: fc.integer({ min: 0, max: 3 }),
      pods: fc.integer({ min: 0, max: 3 }),
      ready: fc.integer({ min: 0, max: 3 }),
      demand: fc.record({
        known: fc.boolean(),
        inFlight: fc.nat(2),
        held: fc.nat(2),
        queued: fc.nat(2),
        lastUsed: fc.nat(1_000_000),
        watchingSince: fc.constant(0),
      }),
      drain: fc.option(fc.record({ since: fc.nat(1_000_000), confirmed: fc.boolean() }), { nil: undefined }),
      granted: fc.boolean(),
      evicted: fc.boolean(),
    });
    fc.assert(
      fc.property(anyInput, (any) => {
        const { action } = decideLifecycle(any);
        if (action.do === 'sleep') {
          expect(any.demand.known && any.demand.inFlight === 0 && any.drain?.confirmed).toBe(true);
          if (!any.evicted)
            expect(any.minReplicas === 0 && any.demand.held === 0 && any.demand.queued === 0).toBe(true);
        }
        if (action.do === 'wake')
          expect(any.granted && any.replicas === 0 && action.replicas >= Math.max(1, any.minReplicas)).toBe(
            true,
          );
      }),
      { numRuns: 1000 },
    );
  });
});
