/** What the models of one namespace used in one pool, and until when it is counted. Immutable. */
import { type Bucket, EMPTY_BUCKET, plus } from './bucket.ts';

/** In the place of names beyond the maximum. No object in Kubernetes can have this name. */
export const OTHER = '(other)';

/** The row of a day for what belongs to no hour: time asleep, and days whose hours are no longer stored. */
export const WHOLE_DAY = 24;

/** Most models of a day or month with rows of their own. Bounds the record of a team that creates new ones all the time. */
export const MAX_MODELS = 500;

/** Most pairs of a model and a key of a day with rows of their own. The keys of one namespace take at most as many as they leave free. */
const MAX_KEYS = 500;

/** Most models of which the time asleep is counted. Bounds the record of a team with thousands. */
export const MAX_ASLEEP = 1_000;

/** Most pods that are counted. Bounds the record of a team that labels thousands. */
export const MAX_PODS = 4_096;

/** The requests of one API key. */
export type KeyCount = Readonly<
  Pick<Bucket, 'requests' | 'promptTokens' | 'completionTokens' | 'cachedRequests' | 'cachedTokens'>
>;

/** By hour from 0 to 23, or `WHOLE_DAY`. */
export type Rows = ReadonlyMap<number, Bucket>;

export interface Day {
  readonly models: ReadonlyMap<string, Rows>;
  /** By model and tenant of an API key (`namespace` or `namespace/name`). */
  readonly keys: ReadonlyMap<string, ReadonlyMap<string, KeyCount>>;
}

/** A model that sleeps, since a time that is not counted yet. */
export interface Asleep {
  readonly since: number;
  /** Accelerators that it would hold. */
  readonly accelerators: number;
}

/** Times are in milliseconds since 1970. */
export interface Ledger {
  readonly namespace: string;
  /** By UID of each pod that exists: until when it is counted. A pod is never counted before this time again. */
  readonly pods: ReadonlyMap<string, number>;
  /** By model. */
  readonly asleep: ReadonlyMap<string, Asleep>;
  /** By router: number of the last batch of counts that is in the ledger. */
  readonly batches: ReadonlyMap<string, number>;
  /** By date, such as `2026-11-28`. */
  readonly days: ReadonlyMap<string, Day>;
  /** By month, such as `2026-11`, and model: days that are no longer stored. Not all of the month. */
  readonly months: ReadonlyMap<string, ReadonlyMap<string, Bucket>>;
}

export const EMPTY_DAY: Day = { models: new Map(), keys: new Map() };

export function emptyLedger(namespace: string): Ledger {
  const none = new Map<never, never>();
  return { namespace, pods: none, asleep: none, batches: none, days: none, months: none };
}

function namespaceOf(tenant: string): string {
  return tenant.split('/', 1)[0] ?? tenant;
}

/** Adds to a day. Rows of models to which nothing is added stay the same objects. */
export class DayBuilder {
  readonly #models: Map<string, Rows>;
  /** Rows that are not those of the day before. */
  readonly #own = new Map<string, Map<number, Bucket>>();
  readonly #keys: Map<string, Map<string, KeyCount>>;
  #pairs = 0;
  /** By namespace of the keys. */
  readonly #pairsOf = new Map<string, number>();

  constructor({ models, keys }: Day = EMPTY_DAY) {
    this.#models = new Map(models);
    this.#keys = new Map([...keys].map(([name, tenants]) => [name, new Map(tenants)]));
    for (const tenants of keys.values()) for (const tenant of tenants.keys()) this.#countPair(tenant);
  }

  /** Adds to a row of a model. */
  add(model: string, row: number, more: Partial<Bucket>): void {
    const name = this.#models.has(model) || this.#models.size < MAX_MODELS ? model : OTHER;
    const rows = this.#own.get(name) ?? new Map(this.#models.get(name));
    rows.set(row, plus(rows.get(row) ?? EMPTY_BUCKET, more));
    this.#own.set(name, rows);
    this.#models.set(name, rows);
  }

  /** Adds to what a key asked a model for: in a row of its own, in that of its namespace, or in that of all others. */
  addKey(model: string, tenant: string, more: KeyCount): void {
    const namespace = namespaceOf(tenant);
    const own = this.#pairsOf.get(namespace) ?? 0;
    const has = (name: string) => this.#keys.get(model)?.has(name) ?? false;
    const free = MAX_KEYS - this.#pairs;
    if (has(tenant) || 2 * own < free) this.#addKey(model, tenant, more);
    else if (has(namespace) || own < free) this.#addKey(model, namespace, more);
    else this.#addKey(OTHER, OTHER, more);
  }

  #addKey(model: string, tenant: string, more: KeyCount): void {
    const tenants = this.#keys.get(model) ?? new Map<string, KeyCount>();
    if (!tenants.has(tenant)) this.#countPair(tenant);
    const { requests, promptTokens, completionTokens, cachedRequests, cachedTokens } = plus(
      { ...EMPTY_BUCKET, ...tenants.get(tenant) },
      more,
    );
    tenants.set(tenant, { requests, promptTokens, completionTokens, cachedRequests, cachedTokens });
    this.#keys.set(model, tenants);
  }

  #countPair(tenant: string): void {
    const namespace = namespaceOf(tenant);
    this.#pairs += 1;
    this.#pairsOf.set(namespace, (this.#pairsOf.get(namespace) ?? 0) + 1);
  }

  done(): Day {
    return { models: this.#models, keys: this.#keys };
  }
}
