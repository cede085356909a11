/** What the models and API keys of one namespace hold in a pool, as a ConfigMap beside the pool keeps it. */
import { z } from 'zod';
import type { InferencePool } from '../../api/types.ts';
import { isOwnedBy } from '../../kube/owner-reference.ts';
import type { Grant } from '../../model/grant.ts';
import { poolLabels } from '../../render/labels.ts';
import { grantsName } from '../../render/names.ts';
import type { ConfigMap } from '../shared/workloads.ts';

const FILE = 'grants.json';

const record = z.object({
  /** Grows with each write for the pool: of two records that name one holder each, the later knew that the earlier was over. */
  version: z.int().min(0),
  namespace: z.string(),
  /** By name of the model. */
  models: z.record(z.string(), z.object({ names: z.array(z.string()), replicas: z.int().min(0) })),
  /** SHA-256 of API keys. */
  keys: z.array(z.string()),
});

export interface GrantRecord {
  version: number;
  namespace: string;
  models: Record<string, Grant>;
  keys: string[];
}

/** The ConfigMap of a record. It goes with the pool. */
export function grantConfigMap(pool: InferencePool, content: GrantRecord): ConfigMap {
  const { name, namespace = '', uid = '' } = pool.metadata;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: grantsName(name, content.namespace),
      namespace,
      labels: poolLabels('grants', pool.metadata),
      // Not as controller: the applier prunes what it did not render.
      ownerReferences: [{ apiVersion: pool.apiVersion, kind: pool.kind, name, uid }],
    },
    data: { [FILE]: JSON.stringify(content) },
  };
}

/**
 * Reads a record of the pool. Undefined when the ConfigMap is none: only where the pool is, under the one name that it can
 * have there, and with the pool as owner, so that no team can write itself one.
 */
export function readGrants(pool: InferencePool, { metadata, data }: ConfigMap): GrantRecord | undefined {
  if (metadata.namespace !== pool.metadata.namespace) return undefined;
  if (!isOwnedBy({ apiVersion: 'v1', kind: 'ConfigMap', metadata }, pool.metadata.uid ?? ''))
    return undefined;
  try {
    const content = record.parse(JSON.parse(data?.[FILE] ?? ''));
    return metadata.name === grantsName(pool.metadata.name, content.namespace) ? content : undefined;
  } catch {
    return undefined;
  }
}
