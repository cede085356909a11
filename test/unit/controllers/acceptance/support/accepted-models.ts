import { expect } from 'vitest';
import type { InferenceModel, InferencePool } from '../../../../../operator/api/types.ts';
import type { Pod } from '../../../../../operator/controllers/shared/workloads.ts';
import { engineLabels } from '../../../../../operator/render/labels.ts';
import { describeIssue } from '../../../../../operator/values/spec-issue.ts';
import { FakeClock } from '../../../kube/support/fake-clock.ts';
import { aModel, aPool } from '../../fixtures.ts';
import { aGrantStore, anAcceptance, aState, put } from '../../support.ts';

/** A spec with these served names. */
export const names = (...servedNames: string[]) => ({
  model: { source: 'hf://mistralai/Mistral-7B-Instruct-v0.3', servedNames },
});

/** A pool that all namespaces may use, with models that tests make, and what it says to them. */
export function setUp(spec: Record<string, unknown> = {}, store = aGrantStore()) {
  const state = aState();
  const clock = new FakeClock();
  const stale: string[] = [];
  const changed: string[] = [];
  const acceptance = anAcceptance(state, {
    store,
    clock,
    onStale: (key) => stale.push(key),
    onChanged: (keys) => changed.push(...keys),
  });
  let pool = put(state.pools.store, aPool({ allowedNamespaces: { from: 'All' }, ...spec }));
  let generation = 1;
  let second = 0;
  const next = () => {
    generation += 1;
    return generation;
  };
  /** Makes or edits a model; `key` is namespace/name. A new one is younger than all before it, unless told. */
  const model = (key: string, of: Record<string, unknown> = {}, metadata: object = {}) => {
    const [namespace = '', name = ''] = key.split('/');
    const known = state.models.store.get(key);
    if (!known) second += 1;
    const at = new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
    return put(
      state.models.store,
      aModel(name, of, {
        namespace,
        uid: known?.metadata.uid ?? `${key}-${next()}`,
        creationTimestamp: known?.metadata.creationTimestamp ?? at,
        generation: next(),
        ...metadata,
      }),
    );
  };
  const find = (key: string) => state.models.store.get(key) as InferenceModel;
  const verdict = (key: string) => {
    const told = acceptance.verdict(pool, find(key));
    return told.accepted ? 'accepted' : told.reason;
  };
  /** What keeps a model out; empty when it is accepted. */
  const message = (key: string) => {
    const told = acceptance.verdict(pool, find(key));
    return told.accepted ? '' : describeIssue(told.issue);
  };
  const editPool = (of: Record<string, unknown>): InferencePool => {
    const spec = { allowedNamespaces: { from: 'All' }, ...of };
    pool = put(state.pools.store, aPool(spec, { generation: next() }));
    return pool;
  };
  const remove = (key: string) => state.models.store.remove(find(key));
  /** Makes a pod of a model's engine. */
  const engine = (key: string, name: string, limits: Record<string, string> = { 'nvidia.com/gpu': '1' }) => {
    const [namespace = '', model = ''] = key.split('/');
    const labels = engineLabels({ namespace, name: model }, { name: 'pool', namespace: 'platform' });
    const metadata = { name, namespace, uid: name, labels };
    const spec = { containers: [{ name: 'vllm', resources: { limits } }] };
    const status = { startTime: '2026-01-01T00:00:00Z' };
    return put<Pod>(state.pods.store, { apiVersion: 'v1', kind: 'Pod', metadata, spec, status });
  };
  return {
    ...{ state, clock, acceptance, stale, changed, store },
    ...{ model, find, verdict, message, editPool, remove, engine },
    pool: () => pool,
  };
}

/** Team b serves `chat`; team a has an older model that goes on asking for it. */
export function contested(spec: Record<string, unknown> = {}) {
  const world = setUp(spec);
  const { model, verdict } = world;
  model('a/older', names('own'));
  model('b/holder', names('chat'));
  expect([verdict('a/older'), verdict('b/holder')]).toEqual(['accepted', 'accepted']);
  model('a/older', names('own', 'chat'));
  expect(verdict('a/older')).toBe('ServedNameConflict');
  return world;
}
