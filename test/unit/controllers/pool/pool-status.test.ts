import { describe, expect, it } from 'vitest';
import { inferencePoolStatus } from '../../../../operator/api/inference-pool.ts';
import { cacheProblem, routerProblem } from '../../../../operator/controllers/pool/pool-health.ts';
import { type PoolView, poolStatus } from '../../../../operator/controllers/pool/pool-status.ts';
import { modelCacheCondition } from '../../../../operator/controllers/shared/cache-condition.ts';
import type { ContainerStatus, Deployment, Pod } from '../../../../operator/controllers/shared/workloads.ts';
import { aModel, aPool } from '../fixtures.ts';

const deployment = (name: string, ready: number, updated = 1, replicas = updated): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'platform', generation: 1 },
  spec: { replicas: 1 },
  status: { observedGeneration: 1, replicas, updatedReplicas: updated, readyReplicas: ready },
});
const pod = (container: string, component: string, status: Partial<ContainerStatus>): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'x',
    labels: { 'vllm-operator.dev/pool': 'pool', 'app.kubernetes.io/component': component },
  },
  spec: { containers: [{ name: container, image: 'example.com/x:1' }] },
  status: { containerStatuses: [{ name: container, ready: false, restartCount: 0, ...status }] },
});
const crashed = {
  restartCount: 3,
  state: { waiting: { reason: 'CrashLoopBackOff' } },
  lastState: { terminated: { exitCode: 1, message: '[emerg] mkdir() failed' } },
};

/** Type, status and reason of the conditions, and the message of Ready. */
function statusOf(view: Partial<PoolView>): Record<string, string> {
  const status = poolStatus({ pool: aPool(), now: 0, url: '', models: 0, accelerators: 0, ...view });
  const conditions = status.conditions ?? [];
  return {
    ...Object.fromEntries(conditions.map((c) => [c.type, `${c.status} ${c.reason}`])),
    message: conditions.find(({ type }) => type === 'Ready')?.message ?? '',
  };
}

describe('a pool whose routers', () => {
  it('crash: the condition quotes the last lines of their log', () => {
    const router = deployment('pool-router', 0);
    const problem = routerProblem(router, [pod('router', 'router', crashed)]);
    const status = statusOf({ router, ...(problem && { routerProblem: problem }) });
    expect(status).toMatchObject({
      Ready: 'False RouterCrashed',
      Stalled: 'True RouterCrashed',
      RouterReady: 'False RouterCrashed',
    });
    expect(status.message).toMatch(
      /mkdir\(\) failed; read more: kubectl logs -n platform deploy\/pool-router/,
    );
  });

  it('cannot be pulled names the field and the pods', () => {
    const router = deployment('pool-router', 0);
    const waiting = { state: { waiting: { reason: 'ImagePullBackOff' } } };
    const problem = routerProblem(router, [pod('router', 'router', waiting)]);
    const status = statusOf({ router, ...(problem && { routerProblem: problem }) });
    expect(status).toMatchObject({ Stalled: 'True ImagePullFailed' });
    expect(status.message).toMatch(
      /example.com\/x:1 cannot be pulled; check router.image.*-l vllm-operator.dev\/pool=pool,app.kubernetes.io\/component=router$/,
    );
  });

  it('cannot be replaced: Stalled, and RouterReady while the previous ones serve', () => {
    const router = deployment('pool-router', 1, 1, 2);
    const problem = routerProblem(router, [pod('router', 'router', crashed)]);
    expect(statusOf({ router, ...(problem && { routerProblem: problem }) })).toMatchObject({
      Ready: 'False RouterCrashed',
      Stalled: 'True RouterCrashed',
      RouterReady: 'True RoutersReady',
    });
  });

  it('are being replaced is not Ready yet', () => {
    expect(statusOf({ router: deployment('pool-router', 1, 1, 2) })).toMatchObject({
      Ready: 'False RolloutInProgress',
      Reconciling: 'True RolloutInProgress',
      RouterReady: 'True RoutersReady',
    });
  });
});

it('a pool whose Redis crashes reports it, and that requests are answered', () => {
  const redis = deployment('pool-redis', 0);
  const problem = cacheProblem(redis, [pod('redis', 'cache', crashed)]);
  const status = statusOf({
    router: deployment('pool-router', 1),
    redis,
    ...(problem && { cacheProblem: problem }),
  });
  expect(status).toMatchObject({
    Stalled: 'True CacheCrashed',
    RouterReady: 'True RoutersReady',
    CacheReady: 'False CacheCrashed',
  });
  expect(status.message).toContain('Requests are answered without the cache');
});

it('a pool with a part that does not run is Ready with a matching reason', () => {
  const problem = { message: 'no node', lastingMessage: 'no node', needsUser: false };
  const routerProblem = { ...problem, reason: 'Unschedulable' as const };
  const router = { ...deployment('pool-router', 1), spec: { replicas: 2 } };
  router.status = { ...router.status, replicas: 2, updatedReplicas: 2 };
  expect(statusOf({ router, routerProblem })).toMatchObject({
    Ready: 'True Degraded',
    message: 'Unschedulable: no node',
  });
  const redis = deployment('pool-redis', 0);
  const cacheProblem = { ...problem, reason: 'CacheCrashed' as const };
  expect(statusOf({ router: deployment('pool-router', 1), redis, cacheProblem })).toMatchObject({
    Ready: 'True Degraded',
    CacheReady: 'False CacheCrashed',
    message: 'CacheCrashed: no node. Requests are answered without the cache',
  });
});

it('a pool that is deleted names its models, whatever the API server refuses meanwhile', () => {
  const refused = { reason: 'ApplyRefused' as const, message: 'x', needsUser: true };
  const status = statusOf({ refused, usedBy: ['t7b/m7b'] });
  expect(status).toMatchObject({ Ready: 'False Deleting', Stalled: 'False Deleting' });
  expect(status.message).toContain('t7b/m7b');
});

it('a cache that is off is as the spec wants it, for the pool and for its models', () => {
  const pool = aPool();
  pool.spec.responseCache.enabled = false;
  expect(statusOf({ pool })).toMatchObject({ CacheReady: 'True Disabled' });
  const off = { status: 'True', reason: 'Disabled' };
  expect(modelCacheCondition(aModel('m'), pool)).toMatchObject(off);
  const model = aModel('m');
  model.spec.responseCache = { enabled: false };
  expect(modelCacheCondition(model, aPool())).toMatchObject(off);
});

it('is one that the API server takes, whatever the price', () => {
  const pool = aPool({ accelerator: { type: 'A100', hourlyCost: '9999999999999999' } });
  const status = poolStatus({ pool, now: 0, url: '', models: 0, accelerators: 1000 });
  expect(inferencePoolStatus.parse(status).hourlyCost).toBe('9999999999999.00');
});
