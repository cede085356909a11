import { InvalidSpecError } from '../values/spec-issue.ts';
import { checkPlatformPods } from './platform-pod-checks.ts';
import { resolveAccelerator } from './resolve-accelerator.ts';
import type { ResolvedPool } from './resolved-model.ts';

/** Resolves a pool. Throws InvalidSpecError if no model can run in it, or if its routers or its Redis cannot. */
export function resolvePool(pool: ResolvedPool['pool']): ResolvedPool {
  const issues = checkPlatformPods(pool.spec);
  if (issues.length > 0) throw new InvalidSpecError(issues);
  return { pool, accelerator: resolveAccelerator(pool.spec.accelerator) };
}
