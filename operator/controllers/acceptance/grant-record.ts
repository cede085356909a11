/** The ConfigMap that persists the grants of one namespace in a pool. */
import { z } from 'zod';
import type { InferencePool } from '../../api/types.ts';
import { isOwnedBy } from '../../kube/owner-reference.ts';
import type { Grant } from '../../model/grant.ts';
import { poolLabels } from '../../render/labels.ts';
import { grantsName } from '../../render/names.ts';
import type { ConfigMap } from '../shared/workloads.ts';

const FILE = 'grants.json';

const record = z.object({
  /** Increases with every write for the pool. If two records claim the same name or key, the higher version wins. */
  version: z.int().min(0),
  namespace: z.string(),
  /** By model name. */
  models: z.record(z.string(), z.object({ names: z.array(z.string()), replicas: z.int().min(0) })),
  /** SHA-256 hashes of API keys. */
  keys: z.array(z.string()),
});

export interface GrantRecord {
  version: number;
  namespace: string;
  models: Record<string, Grant>;
  keys: string[];
}

export type GrantContent = Pick<GrantRecord, 'models' | 'keys'>;

/** Renders a record as a ConfigMap. The garbage collector deletes it with the pool. */
export function grantConfigMap(pool: InferencePool, content: GrantRecord): ConfigMap {
  const { name, namespace = '', uid = '' } = pool.metadata;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: grantsName(name, content.namespace),
      namespace,
      labels: poolLabels('grants', pool.metadata),
      // Not a controller reference, because the applier prunes controlled objects that it did not render.
      ownerReferences: [{ apiVersion: pool.apiVersion, kind: pool.kind, name, uid }],
    },
    data: { [FILE]: JSON.stringify(content) },
  };
}

/** What a record says, whoever wrote it and when. */
export function contentOf({ models, keys }: GrantContent): GrantContent {
  return { models, keys };
}

/**
 * Reads a record of the pool. Returns undefined unless the ConfigMap is in the pool's namespace, has the one valid name
 * and is owned by the pool, so that no team can forge a grant.
 */
export function readGrants(pool: InferencePool, configMap: ConfigMap): GrantRecord | undefined {
  const { metadata, data } = configMap;
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
