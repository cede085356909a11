/** The smallest value that is at least as large as this share of all. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Prints `NAME_p50`, `NAME_p99` and how many there were. */
export function printMilliseconds(name: string, values: readonly number[]): void {
  console.log(`${name}_count ${values.length} 1`);
  console.log(`${name}_p50 ${quantile(values, 0.5).toFixed(1)} ms`);
  console.log(`${name}_p99 ${quantile(values, 0.99).toFixed(1)} ms`);
}
