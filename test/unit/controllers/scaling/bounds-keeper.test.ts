import { afterEach, expect, it, vi } from 'vitest';
import { BoundsKeeper } from '../../../../operator/controllers/scaling/bounds-keeper.ts';
import { CronEdge } from '../../../../operator/scaling/cron-edge.ts';
import { aModel } from '../fixtures.ts';
import { aState, put } from '../support.ts';

afterEach(() => vi.restoreAllMocks());

const at = (text: string) => Date.parse(text);
const office = { name: 'office', start: '0 8 * * *', end: '0 18 * * *', minReplicas: 2, maxReplicas: 4 };
const scaling = (schedules: object[]) => ({ scaling: { minReplicas: 0, maxReplicas: 1, schedules } });

it('looks at schedules once, until one of them changes the bounds or the spec is another', () => {
  const looks = vi.spyOn(CronEdge.prototype, 'last');
  const { models } = aState();
  const keeper = new BoundsKeeper(models.store);
  const model = put(models.store, aModel('chat', scaling([office])));
  expect(keeper.of(model, at('2026-01-14T09:00:00Z')).minReplicas).toBe(2);
  const once = looks.mock.calls.length;
  // A status makes another object of it.
  const reported = put(models.store, { ...model, status: { observedGeneration: 1 } } as typeof model);
  expect(keeper.of(reported, at('2026-01-14T17:59:59Z')).minReplicas).toBe(2);
  expect(looks.mock.calls.length).toBe(once);
  expect(keeper.of(reported, at('2026-01-14T18:00:00Z')).minReplicas).toBe(0);
  const edited = aModel('chat', scaling([{ ...office, end: '0 20 * * *' }]), { generation: 2 });
  expect(keeper.of(edited, at('2026-01-14T18:00:00Z')).minReplicas).toBe(2);
  // Clocks are set back.
  expect(keeper.of(edited, at('2026-01-14T07:00:00Z')).minReplicas).toBe(0);
});

it('goes without schedules that cannot be read, and tells each time what is wrong', () => {
  const { models } = aState();
  const keeper = new BoundsKeeper(models.store);
  const model = aModel('chat', scaling([{ ...office, end: '0 0 31 4 *' }]));
  for (const now of [0, 1]) {
    expect(keeper.of(model, now)).toMatchObject({ minReplicas: 0, maxReplicas: 1 });
    expect(() => keeper.check(model, now)).toThrow('no such date ever comes');
  }
});
