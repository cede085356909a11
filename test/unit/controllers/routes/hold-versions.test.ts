import { expect, it } from 'vitest';
import { HoldVersions } from '../../../../operator/controllers/routes/hold-versions.ts';

function table(version: number, models: Record<string, boolean[]>) {
  return {
    version,
    models: Object.entries(models).map(([uid, draining]) => ({
      uid,
      endpoints: draining.map((one) => ({ draining: one })),
    })),
  };
}

it('counts from the first table that holds the model back, independent of other models', () => {
  const holds = new HoldVersions();
  holds.note(table(1, { a: [false, false] }));
  expect(holds.since('a')).toBeUndefined();
  holds.note(table(2, { a: [true, false] }));
  expect(holds.since('a')).toBeUndefined();
  holds.note(table(3, { a: [true, true] }));
  holds.note(table(4, { a: [true, true], b: [] }));
  expect([holds.since('a'), holds.since('b')]).toEqual([3, 4]);
  holds.note(table(5, { a: [false, true] }));
  expect([holds.since('a'), holds.since('b')]).toEqual([undefined, undefined]);
  holds.note(table(6, { a: [] }));
  expect(holds.since('a')).toBe(6);
});
