/** For what tests and benchmarks share: vitest's `expect.poll` and `vi.waitFor` work within vitest only. */
import { sleep } from '../../operator/kube/clock.ts';
import { CLUSTER_PATIENCE } from './patience.ts';

/** Waits until the check gives something true; fails with what was waited for and the last error. */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  intervalMs = CLUSTER_PATIENCE.interval,
): Promise<T> {
  const end = performance.now() + CLUSTER_PATIENCE.timeout;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const result = await check();
      if (result !== undefined && result !== false) return result;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await sleep(intervalMs);
  }
  throw new Error(`not in time: ${what}`, { cause: last });
}
