import { resolveAccelerator } from './resolve-accelerator.ts';
import type { ResolvedPool } from './resolved-model.ts';

/** Throws InvalidSpecError when no model can run in the pool. */
export function resolvePool(pool: ResolvedPool['pool']): ResolvedPool {
  return { pool, accelerator: resolveAccelerator(pool.spec.accelerator) };
}
