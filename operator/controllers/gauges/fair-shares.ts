/** Divides a bounded number of places, so that whoever needs many takes none from those who need few (max-min fairness). */

/** How many places each owner gets: all that it needs, as long as the greatest needs are cut first. */
export function fairShares(needs: ReadonlyMap<string, number>, places: number): Map<string, number> {
  const shares = new Map<string, number>();
  let left = places;
  let owners = needs.size;
  for (const [owner, need] of [...needs].sort((a, b) => a[1] - b[1])) {
    const share = Math.min(need, Math.floor(left / owners));
    shares.set(owner, share);
    left -= share;
    owners -= 1;
  }
  return shares;
}
