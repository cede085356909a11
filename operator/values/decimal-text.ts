/** 16 characters with two digits behind the point, which is the longest that the schema of both kinds takes. */
const MOST = 9_999_999_999_999;

/**
 * A number of a status, not negative, with so many digits behind the point (2 at most). What is too large for the schema is
 * written as the largest: the API server would refuse the whole status otherwise.
 */
export function decimalText(value: number, digits: 1 | 2): string {
  return Math.min(value, MOST).toFixed(digits);
}
