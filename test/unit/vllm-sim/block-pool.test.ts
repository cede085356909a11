import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BlockHold, BlockPool } from '../../../hack/vllm-sim/engine/block-pool.ts';

describe('block pool', () => {
  test('finds a prefix again after its request ended, until it is evicted', () => {
    const pool = new BlockPool(5);
    const hold = pool.take([], 2);
    expect(hold).toBeDefined();
    for (const hash of [11, 12]) {
      pool.publish(hold ?? { shared: [], own: 0 }, hash);
    }
    pool.release(hold ?? { shared: [], own: 0 });
    expect(pool.match([11, 12, 13])).toBe(2);
    const other = pool.take([], 3);
    // Two blank blocks and one evicted: the end of the prefix goes first, so its start is still of use.
    expect(other?.own).toBe(3);
    expect(pool.match([11, 12])).toBe(1);
  });

  test('never gives out more than it has, and gets all back', () => {
    const action = fc.record({
      kind: fc.constantFrom('take', 'grow', 'publish', 'release'),
      at: fc.nat(5),
      count: fc.nat(6),
      hashes: fc.array(fc.nat(8), { maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const total = 12;
        const pool = new BlockPool(total);
        const holds: BlockHold[] = [];
        for (const { kind, at, count, hashes } of actions) {
          const hold = holds[at % Math.max(1, holds.length)];
          if (kind === 'take') {
            const cached = [...new Set(hashes)].slice(0, pool.match([...new Set(hashes)]));
            const taken = pool.take(cached, count);
            holds.push(...(taken === undefined ? [] : [taken]));
          } else if (hold !== undefined && kind === 'grow') {
            pool.grow(hold, count);
          } else if (hold !== undefined && kind === 'publish') {
            pool.publish(hold, count);
          } else if (hold !== undefined && kind === 'release') {
            pool.release(hold);
            holds.splice(holds.indexOf(hold), 1);
          }
          const shared = new Set(holds.flatMap((h) => h.shared));
          const used = shared.size + holds.reduce((sum, h) => sum + h.own, 0);
          expect(pool.available).toBe(total - 1 - used);
        }
        for (const hold of holds) {
          pool.release(hold);
        }
        expect(pool.available).toBe(total - 1);
        expect(pool.usage).toBe(0);
      }),
    );
  });
});
