/**
 * The smallest whole number from `least` to `most` for which a condition holds that then holds for all larger ones; undefined if
 * there is none. Tries few numbers: it doubles the distance from `least`, then halves the gap.
 */
export function fewest(least: number, most: number, holds: (count: number) => boolean): number | undefined {
  let [failed, step] = [least - 1, 1];
  let found = least;
  while (!holds(found)) {
    if (found >= most) return undefined;
    failed = found;
    found = Math.min(most, least + step);
    step *= 2;
  }
  while (found - failed > 1) {
    const middle = Math.floor((failed + found) / 2);
    if (holds(middle)) found = middle;
    else failed = middle;
  }
  return found;
}
