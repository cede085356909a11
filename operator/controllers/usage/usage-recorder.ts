/**
 * Accounts what models use, once a minute, and stores it in ConfigMaps beside their pool. Runs in the leader only. What is
 * stored is resumed by the next leader: pods are counted from where the record ends, so a restart neither loses nor doubles
 * time of a pod that still runs.
 */
import type { InferencePool } from '../../api/types.ts';
import type { KubeClient } from '../../kube/client.ts';
import { type Clock, sleep } from '../../kube/clock.ts';
import { isNamespaceGone } from '../../kube/errors.ts';
import { keyOf } from '../../kube/key.ts';
import type { Logger } from '../../kube/logger.ts';
import { PerObject } from '../../kube/per-object.ts';
import { CONFIG_MAPS } from '../../kube/resource-types.ts';
import { account, type Batch } from '../../usage/account.ts';
import { type Day, emptyLedger, type Ledger } from '../../usage/ledger.ts';
import { rollUp } from '../../usage/roll-up.ts';
import { archiveText, openText } from '../../usage/stored-ledger.ts';
import { InvalidSpecError } from '../../values/spec-issue.ts';
import type { ClusterState } from '../shared/cluster-state.ts';
import { isOfPool } from '../shared/trim-config-map.ts';
import type { ConfigMap } from '../shared/workloads.ts';
import type { RouterCounts } from './router-counts.ts';
import type { UsageObserver } from './usage-observer.ts';
import { readUsage, USAGE_SELECTOR, usageConfigMap } from './usage-record.ts';

/** At most one write for each namespace and pool in this time. */
export const INTERVAL_MS = 60_000;

/** How long the last write may take when the process stops. */
const STOP_MS = 5_000;

const FIELD_MANAGER = 'vllm-operator-usage';

export interface UsageRecorderOptions {
  client: Pick<KubeClient, 'list' | 'apply'>;
  state: ClusterState;
  observer: UsageObserver;
  counts: Pick<RouterCounts, 'fetch' | 'confirm'>;
  clock: Clock;
  log: Logger;
  /** Called for each pool after a round, and once when the records were read, with the ledgers that have changed. */
  onRound?: (pool: InferencePool, changed: readonly LedgerChange[]) => void;
}

export interface LedgerChange {
  before: Ledger;
  after: Ledger;
}

/** What is stored of a namespace. Compared with the ledger by identity. */
interface Stored {
  /** Text of the open record. */
  open: string | undefined;
  /** The days of the archive. */
  days: ReadonlyMap<string, Day>;
  months: Ledger['months'];
}

interface PoolUsage {
  ledgers: Map<string, Ledger>;
  stored: Map<string, Stored>;
}

export class UsageRecorder {
  readonly name = 'usage';
  readonly #options: UsageRecorderOptions;
  readonly #pools: PerObject<PoolUsage>;
  /** Records of previous leaders; undefined before they were read. */
  #found: Map<string, ConfigMap[]> | undefined;

  constructor(options: UsageRecorderOptions) {
    this.#options = options;
    this.#pools = new PerObject(options.state.pools.store);
  }

  /** The ledgers of a pool by namespace. Empty until the records were read. */
  ledgers(pool: InferencePool): ReadonlyMap<string, Ledger> {
    return this.#pools.get(pool.metadata.uid)?.ledgers ?? new Map();
  }

  /** Accounts every minute until the signal aborts, and once more at the end. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    await this.#start(signal);
    do {
      try {
        await sleep(INTERVAL_MS, { clock, signal });
      } catch (error) {
        if (!signal.aborted) throw error;
      }
      try {
        await this.round(signal.aborted ? AbortSignal.timeout(STOP_MS) : signal);
      } catch (error) {
        log.warn({ err: error }, 'usage is not recorded for now; trying again in a minute');
      }
    } while (!signal.aborted);
  }

  /** Reads the records at once, because budgets depend on them. A failure is repaired by the next round. */
  async #start(signal: AbortSignal): Promise<void> {
    const { state, log, onRound } = this.#options;
    try {
      await this.#load(signal);
    } catch (error) {
      if (!signal.aborted)
        log.warn({ err: error }, 'records of usage cannot be read for now; trying again in a minute');
      return;
    }
    for (const pool of state.pools.store.list()) {
      this.#of(pool);
      onRound?.(pool, []);
    }
  }

  /** Accounts what was used until now, and stores it. Throws the first KubeError after it has tried all pools. */
  async round(signal: AbortSignal): Promise<void> {
    const { state, observer, counts, onRound } = this.#options;
    await this.#load(signal);
    const pools = state.pools.store.list();
    const batches = await Promise.all(pools.map((pool) => counts.fetch(pool, signal)));
    const now = this.#options.clock.now();
    const rounds = pools.map((pool, i) => ({
      pool,
      changed: this.#account(pool, batches[i] ?? new Map(), now),
    }));
    observer.forget();
    // Each pool has read its own, and new ones have none.
    this.#found = new Map();
    const errors: unknown[] = [];
    for (const { pool, changed } of rounds) {
      onRound?.(pool, changed ?? []);
      const failed = await this.#saveAll(pool, now, signal);
      errors.push(...failed);
      if (changed && failed.length === 0) counts.confirm(pool);
    }
    if (errors.length > 0) throw errors[0];
  }

  /** Returns the errors. */
  async #saveAll(pool: InferencePool, now: number, signal: AbortSignal): Promise<unknown[]> {
    const errors: unknown[] = [];
    for (const namespace of this.ledgers(pool).keys()) {
      try {
        await this.#save(pool, namespace, now, signal);
      } catch (error) {
        errors.push(error);
      }
    }
    return errors;
  }

  async #load(signal: AbortSignal): Promise<void> {
    if (this.#found) return;
    const { items } = await this.#options.client.list<ConfigMap>(CONFIG_MAPS, {
      labelSelector: USAGE_SELECTOR,
      transform: (configMap) => (isOfPool(configMap) ? configMap : undefined),
      signal,
    });
    this.#found = Map.groupBy(items, ({ metadata }) => metadata.namespace ?? '');
  }

  #of(pool: InferencePool): PoolUsage {
    return this.#pools.getOr(pool.metadata.uid, () => {
      const { ledgers: found, unreadable } = readUsage(
        pool,
        this.#found?.get(pool.metadata.namespace ?? '') ?? [],
      );
      if (unreadable.length > 0)
        this.#options.log.warn(
          { pool: keyOf(pool), configMaps: unreadable.slice(0, 10) },
          'records of usage cannot be read and are ignored',
        );
      const ledgers = [...found].map(([namespace, { ledger }]) => [namespace, ledger] as const);
      const stored = [...found].map(([namespace, { ledger, archived }]): [string, Stored] => {
        const days = new Map([...ledger.days].filter(([date]) => archived.has(date)));
        return [namespace, { open: undefined, days, months: ledger.months }];
      });
      return { ledgers: new Map(ledgers), stored: new Map(stored) };
    });
  }

  /** Undefined if the spec of the pool is invalid: then everything is counted later, from where it was. */
  #account(
    pool: InferencePool,
    batches: ReadonlyMap<string, readonly Batch[]>,
    now: number,
  ): LedgerChange[] | undefined {
    const usage = this.#of(pool);
    const seen = this.#observe(pool);
    if (!seen) return undefined;
    const changed: LedgerChange[] = [];
    for (const [namespace, observed] of seen) {
      const before = usage.ledgers.get(namespace) ?? emptyLedger(namespace);
      const observation = { ...observed, batches: batches.get(namespace) ?? [] };
      const after = account(before, observation, now);
      if (after === before) continue;
      usage.ledgers.set(namespace, after);
      changed.push({ before, after });
    }
    return changed;
  }

  #observe(pool: InferencePool): ReturnType<UsageObserver['of']> | undefined {
    try {
      return this.#options.observer.of(pool, (other) => this.ledgers(other));
    } catch (error) {
      // The reconcile of the pool reports it.
      if (error instanceof InvalidSpecError) return undefined;
      throw error;
    }
  }

  async #save(pool: InferencePool, namespace: string, now: number, signal: AbortSignal): Promise<void> {
    const usage = this.#of(pool);
    const ledger = usage.ledgers.get(namespace);
    if (!ledger) return;
    const stored = usage.stored.get(namespace) ?? { open: undefined, days: new Map(), months: ledger.months };
    usage.stored.set(namespace, stored);
    const isOpen = (date: string) => ledger.days.get(date) !== stored.days.get(date);
    const text = openText(ledger, isOpen);
    try {
      if (text !== stored.open) await this.#write(pool, 'open', namespace, text, signal);
      stored.open = text;
      await this.#archive(pool, usage, stored, { ledger, isOpen, now }, signal);
    } catch (error) {
      // The pool is deleted with its namespace.
      if (!isNamespaceGone(error)) throw error;
    }
  }

  /** Writes the archive if an earlier day than the newest is not in it as it is. */
  async #archive(
    pool: InferencePool,
    usage: PoolUsage,
    stored: Stored,
    { ledger, isOpen, now }: { ledger: Ledger; isOpen: (date: string) => boolean; now: number },
    signal: AbortSignal,
  ): Promise<void> {
    const last = newest(ledger.days);
    const isDue = [...ledger.days.keys()].some((date) => date < last && isOpen(date));
    if (!isDue && ledger.months === stored.months) return;
    const rolled = rollUp(ledger, now, isOpen);
    const closed = new Map([...rolled.days].filter(([date]) => date < last));
    const { text, ledger: fitting } = archiveText({ ...rolled, days: closed }, isOpen);
    await this.#write(pool, 'archive', ledger.namespace, text, signal);
    stored.days = fitting.days;
    stored.months = fitting.months;
    const today = ledger.days.get(last);
    usage.ledgers.set(ledger.namespace, {
      ...fitting,
      days: new Map([...fitting.days, ...(today ? [[last, today] as const] : [])]),
    });
  }

  async #write(
    pool: InferencePool,
    kind: 'open' | 'archive',
    namespace: string,
    text: string,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#options.client.apply(CONFIG_MAPS, usageConfigMap(pool, kind, namespace, text), {
      fieldManager: FIELD_MANAGER,
      force: true,
      signal,
    });
  }
}

function newest(days: ReadonlyMap<string, Day>): string {
  return [...days.keys()].reduce((last, date) => (date > last ? date : last), '');
}
