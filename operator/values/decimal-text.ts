/** 16 characters with two decimals, the longest number that the schema of both kinds allows. */
const MOST = 9_999_999_999_999;

/**
 * Formats a number that is not negative with this number of decimals, for a status. Numbers beyond the schema's limit are
 * clamped, because the API server would otherwise reject the whole status.
 */
export function decimalText(value: number, digits: 1 | 2): string {
  return Math.min(value, MOST).toFixed(digits);
}
