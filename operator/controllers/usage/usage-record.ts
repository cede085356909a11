/** The two ConfigMaps that have the usage of one namespace in a pool. */
import type { InferencePool } from '../../api/types.ts';
import type { KubeClient } from '../../kube/client.ts';
import { isOwnedBy } from '../../kube/owner-reference.ts';
import { CONFIG_MAPS } from '../../kube/resource-types.ts';
import { usageLabels } from '../../render/labels.ts';
import { usageArchiveName, usageName } from '../../render/names.ts';
import { readLedger, type StoredLedger } from '../../usage/stored-ledger.ts';
import type { ConfigMap } from '../shared/workloads.ts';

/** Selects the records of all pools. */
export const USAGE_SELECTOR = 'app.kubernetes.io/component=usage,app.kubernetes.io/name=vllm-pool';

const FILE = 'usage.json';
const NAMES = { open: usageName, archive: usageArchiveName } as const;

/** Renders a record. The garbage collector deletes it with the pool. */
export function usageConfigMap(
  pool: InferencePool,
  kind: keyof typeof NAMES,
  namespace: string,
  text: string,
): ConfigMap {
  const { name, namespace: own = '', uid = '' } = pool.metadata;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: NAMES[kind](name, namespace),
      namespace: own,
      labels: usageLabels(pool.metadata),
      // Not a controller reference, because the applier prunes controlled objects that it did not render.
      ownerReferences: [{ apiVersion: pool.apiVersion, kind: pool.kind, name, uid }],
    },
    data: { [FILE]: text },
  };
}

/**
 * Lists the records of some pools. Others that any team can label as such, of up to 1 MiB each, are dropped as they are read.
 * Throws KubeError.
 */
export async function listUsage(
  client: Pick<KubeClient, 'list'>,
  pools: readonly InferencePool[],
  where: { namespace?: string | undefined; signal?: AbortSignal | undefined },
): Promise<ConfigMap[]> {
  const namespaces = new Map(pools.map(({ metadata }) => [metadata.uid ?? '', metadata.namespace]));
  const isRecord = ({ metadata: { namespace, ownerReferences = [] } }: ConfigMap) =>
    ownerReferences.some(({ uid }) => namespaces.has(uid) && namespaces.get(uid) === namespace);
  const { items } = await client.list<ConfigMap>(CONFIG_MAPS, {
    ...where,
    labelSelector: USAGE_SELECTOR,
    transform: (configMap) => (isRecord(configMap) ? configMap : undefined),
  });
  return items;
}

/**
 * The ledgers of a pool by namespace, and the names of records that cannot be read. Only ConfigMaps count that are in the
 * namespace of the pool, are owned by it and have the one valid name, so that no team can make up the usage of another one.
 */
export function readUsage(
  pool: InferencePool,
  configMaps: readonly ConfigMap[],
): { ledgers: ReadonlyMap<string, StoredLedger>; unreadable: readonly string[] } {
  const own = configMaps.filter(
    ({ metadata }) =>
      metadata.namespace === pool.metadata.namespace &&
      isOwnedBy({ apiVersion: 'v1', kind: 'ConfigMap', metadata }, pool.metadata.uid ?? ''),
  );
  const texts = new Map(own.map(({ metadata, data }) => [metadata.name, data?.[FILE]]));
  const ledgers = new Map<string, StoredLedger>();
  const unreadable: string[] = [];
  for (const [name, text] of texts) {
    const namespace = readLedger(text, text)?.ledger.namespace ?? '';
    const names = [usageName, usageArchiveName].map((nameOf) => nameOf(pool.metadata.name, namespace));
    if (!names.includes(name)) unreadable.push(name);
    const [open, archive] = names.map((each) => texts.get(each));
    const stored = names.includes(name) && !ledgers.has(namespace) && readLedger(open, archive);
    if (stored && stored.ledger.namespace === namespace) ledgers.set(namespace, stored);
  }
  return { ledgers, unreadable };
}
