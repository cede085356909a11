/** vLLM's readable integers (vllm/utils/argparse_utils.py): `1k` is 1000, `1K` is 1024, `25.6k` is 25600. */

const DECIMAL: Readonly<Record<string, number>> = { k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
const BINARY: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Reads a plain decimal integer as Python's `int()` does; undefined when it is none. */
export function plainInt(text: string): number | undefined {
  return /^\s*[+-]?\d+(_\d+)*\s*$/.test(text) ? Number(text.replaceAll('_', '')) : undefined;
}

/** Reads an integer with an optional suffix; undefined when malformed, also for `1.5K` (no decimals with binary suffixes). */
export function humanInt(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([kKmMgGtT])$/.exec(text.trim());
  const [, digits, suffix] = match ?? [];
  if (digits === undefined || suffix === undefined) {
    return plainInt(text);
  }
  const decimal = DECIMAL[suffix];
  if (decimal !== undefined) {
    return Math.trunc(Number(digits) * decimal);
  }
  const binary = BINARY[suffix] ?? 1;
  return digits.includes('.') ? undefined : Number(digits) * binary;
}

/** As `humanInt`, and `auto` or -1 for "the largest that fits", which reads as -1. */
export function humanLength(text: string): number | undefined {
  return text.trim().toLowerCase() === 'auto' || text.trim() === '-1' ? -1 : humanInt(text);
}
