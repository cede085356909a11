/** Which namespaces a pool admits, and why it does not admit one. Pure. */
import type { InferencePool } from '../api/types.ts';
import { keyOf } from '../kube/key.ts';
import { matchesSelector } from '../values/label-selector.ts';
import type { Verdict } from './verdict.ts';

/**
 * Whether a pool accepts models and API keys of a namespace. A namespace that is not cached yet is not allowed yet, except
 * the pool's own.
 */
export function admitsNamespace(
  pool: Pick<InferencePool, 'metadata' | 'spec'>,
  namespace: string,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  const { from, selector } = pool.spec.allowedNamespaces;
  if (namespace === pool.metadata.namespace || from === 'All') return true;
  return from === 'Selector' && labels !== undefined && matchesSelector(selector, labels);
}

/** The verdict about all models of a namespace that the pool does not admit; undefined if it admits the namespace. */
export function namespaceVerdict(
  pool: InferencePool,
  namespace: string,
  labels: Readonly<Record<string, string>> | undefined,
): Extract<Verdict, { accepted: false }> | undefined {
  if (admitsNamespace(pool, namespace, labels)) return undefined;
  const { from } = pool.spec.allowedNamespaces;
  const remedy =
    from === 'Same'
      ? 'set spec.allowedNamespaces.from of the pool to All or Selector, or move the model'
      : 'label the namespace so that spec.allowedNamespaces.selector of the pool matches it';
  return {
    accepted: false,
    reason: 'NamespaceNotAllowed',
    issue: {
      field: 'spec.poolRef',
      value: undefined,
      reason: `pool ${keyOf(pool)} does not allow models of namespace "${namespace}" (allowedNamespaces.from is ${from})`,
      remedy,
    },
  };
}
