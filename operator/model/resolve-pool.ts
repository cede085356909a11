import { resolveAccelerator } from './resolve-accelerator.ts';
import type { ResolvedPool } from './resolved-model.ts';

/** Resolves a pool. Throws InvalidSpecError if no model can run in it. */
export function resolvePool(pool: ResolvedPool['pool']): ResolvedPool {
  return { pool, accelerator: resolveAccelerator(pool.spec.accelerator) };
}
