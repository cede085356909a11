import fc from 'fast-check';
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { DelayHeap } from '../../../operator/kube/delay-heap.ts';
import { WorkQueue } from '../../../operator/kube/work-queue.ts';
import { FakeClock, settle } from './support/fake-clock.ts';

const key = fc.constantFrom('a', 'b', 'c', 'd');
const priority = fc.constantFrom(-100, 0, 10);

/** What users of a queue and its workers can do, in any order. */
const action = fc.oneof(
  fc.record({ do: fc.constant('add' as const), key, priority }),
  fc.record({ do: fc.constant('addAfter' as const), key, priority, ms: fc.integer({ min: -5, max: 500 }) }),
  fc.record({ do: fc.constant('fail' as const), key }),
  fc.record({ do: fc.constant('forget' as const), key }),
  fc.record({ do: fc.constant('take' as const) }),
  fc.record({ do: fc.constant('finish' as const), key }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.nat(300) }),
);

describe('whatever is done in whatever order', () => {
  test('no key is worked on twice at once, and work follows every add, at its time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
        const clock = new FakeClock();
        const queue = new WorkQueue({ name: 'q', clock, random: () => 0.5 });
        const running = new Set<string>();
        /** Adds that no work has followed yet: when they are due. */
        const owed: { key: string; dueAt: number }[] = [];
        let taken = 0;
        const take = async () => {
          taken++;
          const next = await queue.get();
          if (next === undefined) return;
          expect(running.has(next), `${next} is worked on already`).toBe(false);
          running.add(next);
          const now = clock.monotonic();
          for (let index = owed.length - 1; index >= 0; index--) {
            if (owed[index]?.key === next && (owed[index]?.dueAt ?? 0) <= now) owed.splice(index, 1);
          }
        };
        /** Of two delays the shorter counts. */
        const oweLater = (name: string, delay: number) => {
          const dueAt = clock.monotonic() + Math.max(0, delay);
          const known = owed.find((entry) => entry.key === name && entry.dueAt > clock.monotonic());
          if (known && delay > 0) {
            known.dueAt = Math.min(known.dueAt, dueAt);
          } else {
            owed.push({ key: name, dueAt });
          }
        };
        const finish = (name: string) => {
          if (running.delete(name)) queue.done(name);
        };
        for (const step of actions) {
          switch (step.do) {
            case 'add':
              queue.add(step.key, { priority: step.priority });
              owed.push({ key: step.key, dueAt: clock.monotonic() });
              break;
            case 'addAfter':
              queue.addAfter(step.key, step.ms, { priority: step.priority });
              oweLater(step.key, step.ms);
              break;
            case 'fail':
              oweLater(step.key, queue.addRateLimited(step.key));
              break;
            case 'forget':
              queue.forget(step.key);
              break;
            case 'take':
              void take();
              await settle();
              break;
            case 'finish':
              finish(step.key);
              await settle();
              break;
            case 'pass':
              await clock.advance(step.ms);
          }
        }
        // Free workers and all the time in the world: nothing may be left.
        for (let round = 0; round < 10; round++) {
          for (const name of [...running]) finish(name);
          for (let worker = 0; worker < 4; worker++) void take();
          await clock.advance(100_000);
        }
        expect(owed, `after ${taken} takes`).toEqual([]);
        expect(queue.length).toBe(0);
        queue.close();
      }),
      { numRuns: 150 },
    );
  });

  test('the retry delay doubles from the base to the cap, jitter within half of it', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.double({ min: 0, max: 0.999, noNaN: true }), (failures, random) => {
        const queue = new WorkQueue({
          name: 'q',
          clock: new FakeClock(),
          random: () => random,
          baseDelayMs: 5,
          maxDelayMs: 60_000,
        });
        let delay = 0;
        for (let count = 0; count <= failures; count++) delay = queue.addRateLimited('a');
        const full = Math.min(60_000, 5 * 2 ** failures);
        expect(delay).toBeGreaterThanOrEqual(full / 2);
        expect(delay).toBeLessThanOrEqual(full);
        expect(queue.failures('a')).toBe(failures + 1);
        queue.forget('a');
        expect(queue.addRateLimited('a')).toBeLessThanOrEqual(5);
      }),
    );
  });
});

test('many adds are one piece of work', async () => {
  const queue = new WorkQueue({ name: 'q', clock: new FakeClock() });
  for (let count = 0; count < 100; count++) queue.add('a');
  expect(await queue.get()).toBe('a');
  for (let count = 0; count < 100; count++) queue.add('a');
  queue.done('a');
  expect(await queue.get()).toBe('a');
  queue.done('a');
  expect(queue.length).toBe(0);
});

test('a higher priority goes first, and lifts a key that waits', async () => {
  const queue = new WorkQueue({ name: 'q', clock: new FakeClock() });
  queue.add('old1', { priority: -100 });
  queue.add('old2', { priority: -100 });
  queue.add('live1');
  queue.add('live2');
  queue.add('old2');
  queue.add('live1', { priority: -100 });
  const order = [await queue.get(), await queue.get(), await queue.get(), await queue.get()];
  expect(order).toEqual(['live1', 'live2', 'old2', 'old1']);
});

test('a shorter delay that comes later is not held up by a longer one', async () => {
  const clock = new FakeClock();
  const queue = new WorkQueue({ name: 'q', clock });
  queue.addAfter('late', 1_000);
  queue.addAfter('soon', 10);
  await clock.advance(10);
  expect(queue.length).toBe(1);
  expect(await queue.get()).toBe('soon');
});

test('a closed queue lets its workers go and takes nothing more', async () => {
  const clock = new FakeClock();
  const queue = new WorkQueue({ name: 'q', clock });
  const waiting = [queue.get(), queue.get()];
  queue.addAfter('a', 10);
  queue.close();
  expect(await Promise.all(waiting)).toEqual([undefined, undefined]);
  queue.add('b');
  expect(await queue.get()).toBeUndefined();
  expect(clock.pending).toBe(0);
});

test('metrics have the names that dashboards know', async () => {
  const registry = new Registry();
  const clock = new FakeClock();
  const queue = new WorkQueue({ name: 'model', clock, registry });
  const other = new WorkQueue({ name: 'pool', clock, registry });
  queue.add('a', { priority: -100 });
  queue.add('b');
  await clock.advance(2_000);
  expect(await queue.get()).toBe('b');
  await clock.advance(3_000);
  queue.addRateLimited('b');
  const value = async (name: string, labels: object) =>
    (await registry.getSingleMetric(name)?.get())?.values.find((sample) =>
      Object.entries({ ...labels, controller: 'model' }).every(
        ([label, expected]) => sample.labels[label as 'name'] === expected,
      ),
    )?.value;
  expect(await value('workqueue_depth', { name: 'model', priority: '-100' })).toBe(1);
  expect(await value('workqueue_depth', { name: 'model', priority: '0' })).toBe(0);
  expect(await value('workqueue_adds_total', { name: 'model' })).toBe(2);
  expect(await value('workqueue_retries_total', { name: 'model' })).toBe(1);
  expect(await value('workqueue_unfinished_work_seconds', {})).toBe(3);
  expect(await value('workqueue_longest_running_processor_seconds', {})).toBe(3);
  queue.done('b');
  const text = await registry.metrics();
  expect(text).toContain('workqueue_queue_duration_seconds_sum{name="model",controller="model"} 2');
  expect(text).toContain('workqueue_work_duration_seconds_sum{name="model",controller="model"} 3');
  expect(text).toContain('workqueue_longest_running_processor_seconds{name="pool",controller="pool"} 0');
  other.close();
});

test('the delay heap gives keys back in the order of their times', () => {
  const entry = fc.record({ key: fc.constantFrom(...'abcdefgh'), dueAt: fc.nat(50), priority: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      const heap = new DelayHeap();
      const expected = new Map<string, { dueAt: number; priority: number }>();
      for (const { key: name, dueAt, priority: rank } of entries) {
        heap.add({ key: name, dueAt, priority: rank });
        const known = expected.get(name) ?? { dueAt, priority: rank };
        expected.set(name, { dueAt: Math.min(known.dueAt, dueAt), priority: Math.max(known.priority, rank) });
      }
      expect(heap.size).toBe(expected.size);
      let last = 0;
      while (heap.size > 0) {
        const next = heap.nextDueAt() ?? -1;
        expect(heap.popDue(next - 1)).toBeUndefined();
        const popped = heap.popDue(next);
        expect(next).toBeGreaterThanOrEqual(last);
        expect(popped).toMatchObject(expected.get(popped?.key ?? '') ?? {});
        last = next;
        expected.delete(popped?.key ?? '');
      }
      expect(expected.size).toBe(0);
    }),
  );
});
