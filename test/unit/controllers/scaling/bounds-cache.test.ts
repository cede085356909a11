import { afterEach, expect, it, vi } from 'vitest';
import { BoundsCache } from '../../../../operator/controllers/scaling/bounds-cache.ts';
import { CronEdge } from '../../../../operator/model/cron-edge.ts';
import { resolveScaling } from '../../../../operator/model/resolve-scaling.ts';

afterEach(() => vi.restoreAllMocks());

const at = (text: string) => Date.parse(text);
const office = { name: 'office', start: '0 8 * * *', end: '0 18 * * *', minReplicas: 2, maxReplicas: 4 };
const resolve = (schedule: typeof office) =>
  resolveScaling({ minReplicas: 0, maxReplicas: 1, schedules: [schedule] });

it('looks at schedules once, until one of them changes the bounds or the spec is another', () => {
  const looks = vi.spyOn(CronEdge.prototype, 'last');
  const bounds = new BoundsCache();
  const { scaling } = resolve(office);
  expect(bounds.of(scaling, at('2026-01-14T09:00:00Z')).minReplicas).toBe(2);
  const once = looks.mock.calls.length;
  expect(bounds.of(scaling, at('2026-01-14T17:59:59Z')).minReplicas).toBe(2);
  expect(looks.mock.calls.length).toBe(once);
  expect(bounds.of(scaling, at('2026-01-14T18:00:00Z')).minReplicas).toBe(0);
  const { scaling: edited } = resolve({ ...office, end: '0 20 * * *' });
  expect(bounds.of(edited, at('2026-01-14T18:00:00Z')).minReplicas).toBe(2);
  // Clocks are set back.
  expect(bounds.of(edited, at('2026-01-14T07:00:00Z')).minReplicas).toBe(0);
});

it('goes without schedules that cannot be read', () => {
  const { scaling, issues } = resolve({ ...office, end: '0 0 31 4 *' });
  expect(new BoundsCache().of(scaling, 0)).toMatchObject({ minReplicas: 0, maxReplicas: 1 });
  expect(issues).toMatchObject([{ reason: 'the expression never matches a date' }]);
});
