/** Durations of the API as numbers. The schema has validated them, so an invalid one is a bug. */

const DURATION_UNITS: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600 };

/**
 * Ten days. The sum of two still fits into the timers of Node, nginx and Lua, which are limited to 2^31 milliseconds.
 * Longer ones may fire at once.
 */
const LONGEST_SECONDS = 864_000;

/** Seconds of a duration such as `90s` or `1h30m`, at most ten days. Throws RangeError if it is invalid. */
export function durationSeconds(text: string): number {
  const parts = [...text.matchAll(/([0-9]{1,8})(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) {
    throw new RangeError(`not a duration: ${text}`);
  }
  const seconds = parts.reduce(
    (sum, part) => sum + Number(part[1]) * (DURATION_UNITS[part[2] ?? ''] ?? 0),
    0,
  );
  return Math.min(seconds, LONGEST_SECONDS);
}

/** Bytes in one GiB. */
export const GIB = 2 ** 30;
