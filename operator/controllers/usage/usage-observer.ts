/** Sees in the caches what the models of a pool hold now. */
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { findCondition } from '../../kube/conditions.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import {
  engineSelector,
  MODEL_LABEL,
  POOL_LABEL,
  POOL_NAMESPACE_LABEL,
  poolLabels,
} from '../../render/labels.ts';
import type { ColdStartRecorder } from '../../scaling/cold-start-recorder.ts';
import type { Activity, Allocation, Sleeper } from '../../usage/account.ts';
import type { Ledger } from '../../usage/ledger.ts';
import type { AcceptanceCache } from '../acceptance/acceptance-cache.ts';
import { poolsThatAdmit } from '../shared/admitted-namespaces.ts';
import { byModel, type ClusterState } from '../shared/cluster-state.ts';
import type { Resolutions } from '../shared/resolutions.ts';
import type { Pod } from '../shared/workloads.ts';
import { type Accelerators, allocationOf, readySinceOf } from './allocations.ts';
import type { DemandPeaks } from './demand-peaks.ts';
import type { PodPrices } from './pod-prices.ts';

/** Most pods that are remembered after their end. Further ones are counted until they were last seen. */
const MAX_GONE = 20_000;

const POOL_LABELS = [POOL_LABEL, POOL_NAMESPACE_LABEL] as const;

interface PodOf {
  pool: InferencePool;
  namespace: string;
  /** Key of the pool that the model is in; undefined if there is no such model, or no pool admits it. */
  home: Key | undefined;
  ledgersOf: (pool: InferencePool) => ReadonlyMap<string, Ledger>;
}

export interface UsageObserverOptions {
  state: ClusterState;
  resolutions: Resolutions;
  acceptance: Pick<AcceptanceCache, 'models'>;
  prices: PodPrices;
  peaks: Pick<DemandPeaks, 'take'>;
  coldStarts: Pick<ColdStartRecorder, 'takeWakes'>;
  clock: { now: () => number };
}

/** A pod that was deleted, and when that was seen, in milliseconds since 1970. */
interface Gone {
  pod: Pod;
  at: number;
}

export interface Seen {
  allocations: Allocation[];
  sleepers: Sleeper[];
  activities: Activity[];
}

export class UsageObserver {
  readonly #options: UsageObserverOptions;
  /** By key of the model, as its label says. */
  #gone = new Map<string, Gone[]>();
  #goneCount = 0;
  /** By UID of a pod with the label of a model: since when it was ready, the last time that it was. */
  readonly #readySince = new Map<string, number>();

  constructor(options: UsageObserverOptions) {
    this.#options = options;
    const { state, clock } = options;
    state.pods.store.subscribe(({ old, new: now }) => {
      if (old && old.metadata.uid !== now?.metadata.uid) this.#noteGone(old, clock.now());
      const ready = now && byModel(now).length > 0 ? readySinceOf(now) : undefined;
      if (ready !== undefined) this.#readySince.set(now?.metadata.uid ?? '', ready);
    });
  }

  /** The pods that were deleted before this call are seen by `of` until `forget`. */
  forget(): void {
    this.#gone = new Map();
    this.#goneCount = 0;
    for (const uid of this.#readySince.keys())
      if (!this.#options.state.pods.store.hasUid(uid)) this.#readySince.delete(uid);
  }

  /**
   * What the models of the pool hold, by namespace. Deleted models of the ledgers are looked for too, as long as they have
   * pods. `ledgersOf` are those of any pool. What it says of activity was not in an earlier answer. Throws InvalidSpecError.
   */
  of(
    pool: InferencePool,
    ledgersOf: (pool: InferencePool) => ReadonlyMap<string, Ledger>,
  ): Map<string, Seen> {
    const { resolutions, acceptance, prices } = this.#options;
    const { count, resourceName } = resolutions.pool(pool).accelerator;
    const accelerators: Accelerators = {
      count,
      resourceName,
      hourlyCostOf: (pod) => prices.of(pool, pod),
    };
    const ledgers = ledgersOf(pool);
    const models = new Map(acceptance.models(pool).map((model) => [keyOf(model), model]));
    const seen = new Map<string, Seen>();
    for (const [namespace, names] of namesByNamespace(models.values(), ledgers)) {
      const found: Seen = { allocations: [], sleepers: [], activities: [] };
      for (const name of names) {
        const model = models.get(`${namespace}/${name}`);
        const home = this.#homeOf({ namespace, name });
        const isHere = (pod: Pod) => this.#isHere(pod, { pool, namespace, home, ledgersOf });
        const allocations = this.#allocations({ namespace, name }, accelerators, isHere);
        found.allocations.push(...allocations);
        const runs = allocations.some(({ end }) => end === undefined);
        if (model) found.activities.push(this.#activity(pool, model));
        if (model && !runs && isAsleep(model)) found.sleepers.push({ model: name, accelerators: count });
      }
      seen.set(namespace, found);
    }
    return seen;
  }

  #homeOf(key: { namespace: string; name: string }): Key | undefined {
    const { state } = this.#options;
    const model = state.models.store.get(key);
    return model && poolsThatAdmit(state, model)[0];
  }

  /**
   * Whether the pool is charged for a pod of a model. A team can change the labels that name the pool, and the pod runs on: it
   * counts where it was counted before, else for the pool that the model is in. Only without one do the labels decide.
   */
  #isHere({ metadata: { labels, uid = '' } }: Pod, { pool, namespace, home, ledgersOf }: PodOf): boolean {
    const counts = (other: InferencePool) => ledgersOf(other).get(namespace)?.pods.has(uid) === true;
    if (counts(pool)) return true;
    if (this.#options.state.pools.store.list().some(counts)) return false;
    if (home !== undefined) return home === keyOf(pool);
    const own = poolLabels('router', pool.metadata);
    return POOL_LABELS.every((label) => labels?.[label] === own[label]);
  }

  #activity(pool: InferencePool, { metadata: { name, uid = '' } }: InferenceModel): Activity {
    const { peaks, coldStarts } = this.#options;
    return { model: name, ...peaks.take(keyOf(pool), uid), ...coldStarts.takeWakes(uid) };
  }

  #allocations(
    model: { namespace: string; name: string },
    accelerators: Accelerators,
    isHere: (pod: Pod) => boolean,
  ): Allocation[] {
    const key = `${model.namespace}/${engineSelector(model)[MODEL_LABEL]}`;
    const present = this.#options.state.pods.store
      .byIndex('byModel', key)
      .map((pod) => ({ pod, at: undefined }));
    return [...present, ...(this.#gone.get(key) ?? [])].flatMap(({ pod, at }) => {
      const allocation = isHere(pod)
        ? allocationOf(pod, model.name, accelerators, {
            gone: at,
            readySince: this.#readySince.get(pod.metadata.uid ?? ''),
          })
        : undefined;
      return allocation ? [allocation] : [];
    });
  }

  #noteGone(pod: Pod, at: number): void {
    if (pod.status?.startTime === undefined || this.#goneCount >= MAX_GONE) return;
    for (const key of byModel(pod)) {
      const others = this.#gone.get(key);
      if (others) others.push({ pod, at });
      else this.#gone.set(key, [{ pod, at }]);
      this.#goneCount += 1;
    }
  }
}

/** Whether the next request wakes the model. */
function isAsleep({ status }: InferenceModel): boolean {
  const available = findCondition(status?.conditions, 'Available');
  return available?.status === 'True' && available.reason === 'Idle';
}

/** Names of the models that may have pods: those of the pool, and those that used something on the last days. */
function namesByNamespace(
  models: Iterable<InferenceModel>,
  ledgers: ReadonlyMap<string, Ledger>,
): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>();
  for (const [namespace, { days }] of ledgers) {
    const recent = [...days.keys()].sort().slice(-2);
    names.set(namespace, new Set(recent.flatMap((date) => [...(days.get(date)?.models.keys() ?? [])])));
  }
  for (const { metadata } of models) {
    const { namespace = '', name } = metadata;
    const known = names.get(namespace);
    if (known) known.add(name);
    else names.set(namespace, new Set([name]));
  }
  return names;
}
