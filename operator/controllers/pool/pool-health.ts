/** Explains why the routers or the Redis of a pool do not become ready. Pure. */
import { type WorkloadProblem, type WorkloadWords, workloadProblem } from '../shared/workload-problem.ts';
import type { Deployment, Pod } from '../shared/workloads.ts';

const ROUTER: WorkloadWords<'RouterCrashed'> = {
  one: 'a router',
  many: 'routers',
  container: 'router',
  program: 'the router',
  crashed: 'RouterCrashed',
  imageFields: 'router.image',
  memoryField: 'router.resources.limits.memory',
  argumentFields: 'router.image',
  startRemedy: 'the operator must reach port 8081 of their pods: check NetworkPolicies and service meshes',
};

const CACHE: WorkloadWords<'CacheCrashed'> = {
  one: 'the Redis of the cache',
  many: 'the Redis of the cache',
  container: 'redis',
  program: 'Redis',
  crashed: 'CacheCrashed',
  imageFields: 'responseCache.redis.managed.image',
  memoryField: 'responseCache.redis.managed.memory',
  argumentFields: 'responseCache.redis.managed.image',
  startRemedy: 'check that its node can run it',
};

/** Why pods of the router Deployment do not become ready. */
export function routerProblem(
  deployment: Deployment,
  pods: readonly Pod[],
  mountFailure?: (pod: Pod) => string | undefined,
): WorkloadProblem<'RouterCrashed'> | undefined {
  return workloadProblem({ deployment, pods, words: ROUTER, observed: isObserved(deployment), mountFailure });
}

/** Why the pod of the Redis Deployment does not become ready. */
export function cacheProblem(
  deployment: Deployment,
  pods: readonly Pod[],
  mountFailure?: (pod: Pod) => string | undefined,
): WorkloadProblem<'CacheCrashed'> | undefined {
  return workloadProblem({ deployment, pods, words: CACHE, observed: isObserved(deployment), mountFailure });
}

function isObserved({ metadata, status }: Deployment): boolean {
  return (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
}
