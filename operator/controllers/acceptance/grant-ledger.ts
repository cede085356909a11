/**
 * The grants of models and API keys in each pool. The leader has them in memory and persists them in one ConfigMap per
 * namespace beside the pool, so that the next leader knows them. A grant takes effect only after it is persisted.
 */
import { isDeepStrictEqual } from 'node:util';
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { orAbort } from '../../kube/abort.ts';
import type { KubeClient } from '../../kube/client.ts';
import { isKubeError, isNamespaceGone } from '../../kube/errors.ts';
import { type Key, keyOf, toKey } from '../../kube/key.ts';
import type { ObjectMeta } from '../../kube/object.ts';
import { PerObject } from '../../kube/per-object.ts';
import { CONFIG_MAPS } from '../../kube/resource-types.ts';
import { compareResourceVersions } from '../../kube/resource-version.ts';
import type { Watchable } from '../../kube/store.ts';
import type { Grant } from '../../model/grant.ts';
import { namespaceOf } from '../../model/holdings.ts';
import { COMPONENT_LABEL } from '../../render/labels.ts';
import { grantsName } from '../../render/names.ts';
import { isOfPool } from '../shared/trim-config-map.ts';
import type { ConfigMap } from '../shared/workloads.ts';
import {
  contentOf,
  type GrantContent,
  type GrantRecord,
  grantConfigMap,
  readGrants,
} from './grant-record.ts';

const FIELD_MANAGER = 'vllm-operator-grants';

const SELECTOR = `app.kubernetes.io/managed-by=vllm-operator,${COMPONENT_LABEL}=grants`;

const NO_NAMES: readonly string[] = [];

/** The persisted record of a namespace, and the write in flight. */
interface Saved {
  models: ReadonlyMap<Key, Grant>;
  keys: ReadonlySet<string>;
  isDirty: boolean;
  writing?: Promise<void> | undefined;
  /** What the last request was to write; undefined where it was to delete the record. */
  sent?: GrantContent | undefined;
  /** Of the ConfigMap, from the last write that was answered on. */
  resourceVersion?: string | undefined;
}

interface PoolGrants {
  pool: InferencePool;
  models: ReadonlyMap<Key, Grant>;
  /** Namespace by SHA-256 of an API key. */
  keys: ReadonlyMap<string, string>;
  version: number;
  /** By namespace. */
  saved: Map<string, Saved>;
  /** Undefined once granted or persisted names have changed. */
  savedNames?: SavedNames | undefined;
}

/** The granted and persisted names of a model: the same list until they change. */
export type SavedNames = (model: InferenceModel) => readonly string[];

export class GrantLedger {
  readonly #client: Pick<KubeClient, 'list' | 'apply' | 'delete'>;
  readonly #pools: PerObject<PoolGrants>;
  #found: ConfigMap[] | undefined;
  #loading: Promise<void> | undefined;

  constructor(client: Pick<KubeClient, 'list' | 'apply' | 'delete'>, pools: Watchable<InferencePool>) {
    this.#client = client;
    this.#pools = new PerObject(pools);
  }

  /**
   * Reads what previous leaders persisted. Runs once, and against the API server, because a cache may be stale.
   * Concurrent callers share the request. Here and below, the signal ends the wait but not the request. Throws
   * KubeError.
   */
  async load(signal?: AbortSignal): Promise<void> {
    if (this.#found) return;
    this.#loading ??= this.#client
      .list<ConfigMap>(CONFIG_MAPS, {
        labelSelector: SELECTOR,
        transform: (configMap) => (isOfPool(configMap) ? configMap : undefined),
      })
      .then(({ items }) => {
        this.#found = items;
      })
      .finally(() => {
        this.#loading = undefined;
      });
    await orAbort(this.#loading, signal);
  }

  /** The grants of the models of the pool. */
  models(pool: InferencePool): ReadonlyMap<Key, Grant> {
    return this.#of(pool).models;
  }

  /** Namespace by SHA-256 of each granted API key of the pool. */
  keys(pool: InferencePool): ReadonlyMap<string, string> {
    return this.#of(pool).keys;
  }

  /** Sets the grants of the models. `changed` holds the keys of those that differ. */
  setModels(pool: InferencePool, next: ReadonlyMap<Key, Grant>, changed: ReadonlySet<Key>): void {
    const grants = this.#of(pool);
    for (const key of changed) touch(grants, namespaceOf(key));
    grants.models = next;
    if (changed.size > 0) grants.savedNames = undefined;
  }

  /** Sets which namespace holds which API key. */
  setKeys(pool: InferencePool, next: ReadonlyMap<string, string>): void {
    const grants = this.#of(pool);
    for (const [hash, namespace] of next) if (grants.keys.get(hash) !== namespace) touch(grants, namespace);
    for (const [hash, namespace] of grants.keys) if (next.get(hash) !== namespace) touch(grants, namespace);
    grants.keys = next;
  }

  /**
   * The granted and persisted names of each model. Two models never share a name. It is the same function until names of any
   * model of the pool change, so callers can tell that what they made of them still holds.
   */
  savedNames(pool: InferencePool): SavedNames {
    const grants = this.#of(pool);
    grants.savedNames ??= (model) => {
      const key = keyOf(model);
      const now = grants.models.get(key);
      const before = now && grants.saved.get(model.metadata.namespace ?? '')?.models.get(key);
      if (!before) return NO_NAMES;
      if (now === before) return before.names;
      const held = new Set(now.names);
      return before.names.filter((name) => held.has(name));
    };
    return grants.savedNames;
  }

  /** Whether it is persisted that the namespace holds the API key. */
  isKeySaved(pool: InferencePool, hash: string, namespace: string): boolean {
    const { keys, saved } = this.#of(pool);
    return keys.get(hash) === namespace && saved.get(namespace)?.keys.has(hash) === true;
  }

  /**
   * A ConfigMap is there as given, or gone. Returns whether it is the record of a namespace and not as it was last written:
   * a person may have edited it, and a request of a former leader may come late. It is written anew then.
   */
  seen(pool: InferencePool, { name, resourceVersion = '' }: ObjectMeta, now: ConfigMap | undefined): boolean {
    const [, namespace = ''] = name.split('.');
    const grants = this.#pools.get(pool.metadata.uid);
    const saved = grants?.saved.get(namespace);
    if (!grants || !saved || name !== grantsName(pool.metadata.name, namespace)) return false;
    if (now && compareResourceVersions(resourceVersion, saved.resourceVersion ?? '') <= 0) return false;
    const found = now && readGrants(pool, now);
    if (found) grants.version = Math.max(grants.version, found.version);
    if (!isDeepStrictEqual(found && contentOf(found), saved.sent)) saved.isDirty = true;
    return saved.isDirty;
  }

  /** Persists all changes of one namespace. Throws KubeError. */
  async save(pool: InferencePool, namespace: string, signal?: AbortSignal): Promise<void> {
    const grants = this.#of(pool);
    const saved = grants.saved.get(namespace);
    if (!saved) return;
    while (saved.isDirty || saved.writing !== undefined) {
      saved.writing ??= this.#write(grants, namespace, saved).finally(() => {
        saved.writing = undefined;
      });
      await orAbort(saved.writing, signal);
    }
  }

  /** Persists the changes of all namespaces. Tries all of them, then throws the first KubeError. */
  async saveAll(pool: InferencePool, signal?: AbortSignal): Promise<void> {
    const dirty = [...this.#of(pool).saved].filter(
      ([, { isDirty, writing }]) => isDirty || writing !== undefined,
    );
    const results = await Promise.allSettled(dirty.map(([namespace]) => this.save(pool, namespace, signal)));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  async #write(grants: PoolGrants, namespace: string, saved: Saved): Promise<void> {
    saved.isDirty = false;
    const models = new Map([...grants.models].filter(([key]) => namespaceOf(key) === namespace));
    const keys = new Set([...grants.keys].filter(([, holder]) => holder === namespace).map(([hash]) => hash));
    try {
      if (models.size === 0 && keys.size === 0) await this.#remove(grants.pool, namespace, saved);
      else await this.#apply(grants, saved, { namespace, models, keys });
    } catch (error) {
      // The pool is deleted with its namespace, so its grants no longer matter.
      if (!isNamespaceGone(error)) {
        saved.isDirty = true;
        throw error;
      }
    }
    saved.models = models;
    saved.keys = keys;
    grants.savedNames = undefined;
  }

  async #apply(
    grants: PoolGrants,
    saved: Saved,
    { namespace, models, keys }: { namespace: string; models: Map<Key, Grant>; keys: Set<string> },
  ): Promise<void> {
    grants.version += 1;
    const named = [...models].map(([key, grant]) => [key.slice(namespace.length + 1), grant] as const);
    const content: GrantRecord = {
      version: grants.version,
      namespace,
      models: Object.fromEntries(named),
      keys: [...keys].sort(),
    };
    saved.sent = contentOf(content);
    const { metadata } = await this.#client.apply(CONFIG_MAPS, grantConfigMap(grants.pool, content), {
      fieldManager: FIELD_MANAGER,
      force: true,
    });
    saved.resourceVersion = metadata.resourceVersion;
  }

  async #remove(pool: InferencePool, namespace: string, saved: Saved): Promise<void> {
    const name = grantsName(pool.metadata.name, namespace);
    saved.sent = undefined;
    try {
      await this.#client.delete(CONFIG_MAPS, { namespace: pool.metadata.namespace ?? '', name });
    } catch (error) {
      if (!isKubeError(error, 'NotFound')) throw error;
    }
  }

  #of(pool: InferencePool): PoolGrants {
    return this.#pools.getOr(pool.metadata.uid, () => read(pool, this.#found ?? []));
  }
}

/** If two records contain the same name or key, the one with the higher version wins, because its writer knew the other one. */
function read(pool: InferencePool, configMaps: readonly ConfigMap[]): PoolGrants {
  const records = configMaps
    .flatMap((configMap) => {
      const record = readGrants(pool, configMap);
      const { resourceVersion } = configMap.metadata;
      return record ? [{ ...record, resourceVersion }] : [];
    })
    .sort((a, b) => b.version - a.version);
  const models = new Map<Key, Grant>();
  const keys = new Map<string, string>();
  const saved = new Map<string, Saved>();
  const taken = new Set<string>();
  for (const record of records) {
    const { namespace, models: granted, keys: hashes, resourceVersion } = record;
    const own = new Map<Key, Grant>();
    for (const [name, { names, replicas }] of Object.entries(granted)) {
      const free = names.filter((candidate) => !taken.has(candidate));
      for (const candidate of free) taken.add(candidate);
      own.set(toKey({ namespace, name }), { names: free, replicas });
    }
    const ownKeys = hashes.filter((hash) => !keys.has(hash));
    for (const hash of ownKeys) keys.set(hash, namespace);
    for (const [key, grant] of own) models.set(key, grant);
    const sent = contentOf(record);
    saved.set(namespace, { models: own, keys: new Set(ownKeys), isDirty: false, sent, resourceVersion });
  }
  return { pool, models, keys, version: records[0]?.version ?? 0, saved };
}

function touch({ saved }: PoolGrants, namespace: string): void {
  const known = saved.get(namespace);
  if (known) known.isDirty = true;
  else saved.set(namespace, { models: new Map(), keys: new Set(), isDirty: true });
}
