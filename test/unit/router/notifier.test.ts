import { expect, it } from 'vitest';
import { Notifier } from '../../../operator/router/notifier.ts';

const never = new AbortController().signal;
const isPending = async (promise: Promise<unknown>) =>
  (await Promise.race([promise, new Promise((resolve) => setImmediate(resolve, 'pending'))])) === 'pending';

it('does not lose a notification that comes before the wait, and takes several for one', async () => {
  const notifier = new Notifier();
  notifier.notify();
  notifier.notify();
  await notifier.wait(never);
  expect(await isPending(notifier.wait(never))).toBe(true);
});

it('forgets a notification that was cleared', async () => {
  const notifier = new Notifier();
  notifier.notify();
  notifier.clear();
  expect(await isPending(notifier.wait(never))).toBe(true);
});

it('wakes on a notification, at the end of the time, and when the signal aborts', async () => {
  const notifier = new Notifier();
  const notified = notifier.wait(never);
  notifier.notify();
  await notified;

  const timers: (() => void)[] = [];
  const clock = {
    now: () => 0,
    monotonic: () => 0,
    setTimeout: (callback: () => void) => {
      timers.push(callback);
      return () => {};
    },
  };
  const timed = notifier.wait(never, 1000, clock);
  expect(await isPending(timed)).toBe(true);
  for (const timer of timers) timer();
  await timed;

  const caller = new AbortController();
  const aborted = notifier.wait(caller.signal);
  caller.abort();
  await aborted;
  await notifier.wait(caller.signal);
});
