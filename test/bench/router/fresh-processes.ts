/** Repeats a comparison with new processes, and prints medians and ratios of pairs. */
import type { Throughput } from './throughput.ts';

/**
 * What LuaJIT compiles depends on addresses and on which code gets hot first, so two processes of the same router differ by some
 * percent for as long as they live. More rounds of the same two do not show that; pairs of new ones do.
 */
export const PAIRS = 10;

/** Prints rate and CPU time of a server: the median of its processes. */
export function printRate(name: string, samples: readonly Throughput[]): void {
  console.log(`${name} ${Math.round(median(samples.map(({ perSecond }) => perSecond)))} 1/s`);
  console.log(`${name}_cpu ${median(samples.map(({ cpuMicros }) => cpuMicros)).toFixed(2)} us/request`);
  console.log(`${name}_busy ${median(samples.map(({ busy }) => busy)).toFixed(2)} of a CPU`);
}

/** Prints the median of the ratios of pairs, with the lowest and the highest: of the rate, and of the CPU time per request. */
export function printRatio(
  name: string,
  base: readonly Throughput[],
  samples: readonly Throughput[],
  unit: string,
): void {
  const line = (metric: string, field: 'perSecond' | 'cpuMicros') => {
    const ratios = samples.map((sample, i) => sample[field] / (base[i]?.[field] ?? Number.NaN));
    const range = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`;
    console.log(`${metric} ${median(ratios).toFixed(3)} of ${unit}, ${ratios.length} pairs: ${range}`);
  };
  line(`${name}_ratio`, 'perSecond');
  line(`${name}_cpu_ratio`, 'cpuMicros');
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [below = Number.NaN, above = below] = [Math.floor, Math.ceil].map(
    (round) => sorted[round((sorted.length - 1) / 2)],
  );
  return (below + above) / 2;
}
