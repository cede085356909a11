/** Reads the models of a cluster with what they used, and advises each. */
import type { Advised } from '../advice/advise.ts';
import { adviseRecorded } from '../advice/advise-recorded.ts';
import type { Evidence } from '../advice/evidence.ts';
import { INFERENCE_MODELS, INFERENCE_POOLS, type InferenceModel, type InferencePool } from '../api/types.ts';
import { listUsage, readUsage } from '../controllers/usage/usage-record.ts';
import type { KubeClient } from '../kube/client.ts';
import { keyOf } from '../kube/key.ts';
import type { KubeObject } from '../kube/object.ts';
import { NAMESPACES } from '../kube/resource-types.ts';
import { admitsNamespace } from '../model/namespace-verdict.ts';
import { poolKeyOf } from '../model/pool-key.ts';
import type { StoredLedger } from '../usage/stored-ledger.ts';
import { assessIn } from './assess-files.ts';

export interface AdvisedModel extends Advised {
  /** `namespace/name`, of the model and of its pool. */
  model: string;
  pool: string;
  /** What the advice is from. */
  evidence: Evidence;
}

interface Cluster {
  models: readonly InferenceModel[];
  /** By key. */
  pools: ReadonlyMap<string, InferencePool>;
  /** Number of models by key of their pool. */
  users: ReadonlyMap<string, number>;
  /** By key of the pool and namespace of the models. */
  ledgers: ReadonlyMap<string, ReadonlyMap<string, StoredLedger>>;
  /** Labels by namespace. */
  namespaces: Map<string, Record<string, string>>;
}

/** Advises the models of a namespace, or of all. Models that cannot run are left out: their conditions say why. */
export async function adviseCluster(
  client: KubeClient,
  { namespace, now, signal }: { namespace: string | undefined; now: number; signal: AbortSignal },
): Promise<AdvisedModel[]> {
  const cluster = await read(client, signal);
  const advised: AdvisedModel[] = [];
  for (const model of cluster.models) {
    if (namespace !== undefined && model.metadata.namespace !== namespace) continue;
    const found = adviceFor(model, cluster, now);
    if (found) advised.push(found);
  }
  return advised;
}

async function read(client: KubeClient, signal: AbortSignal): Promise<Cluster> {
  const { items: models } = await client.list<InferenceModel>(INFERENCE_MODELS, { signal });
  const { items: pools } = await client.list<InferencePool>(INFERENCE_POOLS, { signal });
  const { items: namespaces } = await client.list<KubeObject>(NAMESPACES, { signal });
  const records = await listUsage(client, pools, { signal });
  return {
    models,
    pools: new Map(pools.map((pool) => [keyOf(pool), pool])),
    users: new Map([...Map.groupBy(models, poolKeyOf)].map(([key, { length }]) => [key, length])),
    ledgers: new Map(pools.map((pool) => [keyOf(pool), readUsage(pool, records).ledgers])),
    namespaces: new Map(namespaces.map(({ metadata }) => [metadata.name, metadata.labels ?? {}])),
  };
}

/** Undefined for a model that cannot run. */
function adviceFor(model: InferenceModel, cluster: Cluster, now: number): AdvisedModel | undefined {
  const key = poolKeyOf(model);
  const pool = cluster.pools.get(key);
  if (!pool) return undefined;
  const { namespace = '' } = model.metadata;
  // Claims only decide whether a model may run, which it does.
  const files = { pools: [], models: [], namespaces: cluster.namespaces, claims: new Map(), problems: [] };
  const assessment = assessIn(pool, model, files, now);
  if (assessment.kind === 'blocked') return undefined;
  const recorded = {
    pools: cluster.pools.values(),
    admits: (each: InferencePool) => admitsNamespace(each, namespace, cluster.namespaces.get(namespace)),
    users: cluster.users.get(key) ?? 0,
    ledger: cluster.ledgers.get(key)?.get(namespace)?.ledger,
  };
  return { model: keyOf(model), pool: key, ...adviseRecorded(assessment.model, recorded, now) };
}
