/** Replicas beyond those that the peak needs. */
import { fewest } from './fewest.ts';

/**
 * Spare replicas with which at least `needed` are up for a share of the time, if each is up for a share of the time and they
 * fail independently (binomial distribution). Replicas that fail together, as with their node or zone, need more.
 */
export function spareReplicas(needed: number, availability: number, ofOne: number): number {
  const most = 2 * needed + 200;
  return fewest(0, most, (spare) => enoughUp(needed, needed + spare, ofOne) >= availability) ?? most;
}

/** Probability that at least `needed` of `total` are up, in logarithms, because all of many are up almost never. */
function enoughUp(needed: number, total: number, ofOne: number): number {
  let logarithm = total * Math.log(ofOne);
  let sum = Math.exp(logarithm);
  for (let down = 1; down <= total - needed; down++) {
    logarithm += Math.log(((total - down + 1) / down) * ((1 - ofOne) / ofOne));
    sum += Math.exp(logarithm);
  }
  return sum;
}
