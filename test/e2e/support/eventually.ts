import { sleep } from '../../../operator/kube/clock.ts';

/** Longest that anything awaited here may take: far above what it takes, so that a slow machine fails no test. */
const PATIENCE_MS = 60_000;

/** Waits until the check gives something true; fails with what was waited for and the last error. */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const result = await check();
      if (result !== undefined && result !== false) return result;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await sleep(25);
  }
  throw new Error(`not in time: ${what}`, { cause: last });
}
