/** Brings the children of an object to their desired state with as few requests as possible. */
import type { Counter, Registry } from 'prom-client';
import { AppliedState } from './applied-state.ts';
import type { KubeClient } from './client.ts';
import { type Clock, systemClock } from './clock.ts';
import { isKubeError } from './errors.ts';
import { FightBreaker, type FightOptions } from './fight-breaker.ts';
import { type Key, keyOf } from './key.ts';
import { type Logger, silentLogger } from './logger.ts';
import { counter } from './metrics.ts';
import type { KubeObject, ResourceType } from './object.ts';
import { controllerOf, controllerReference, isOwnedBy, withOwner } from './owner-reference.ts';
import { dropBulk } from './reflector.ts';
import { apiVersionOf, typeName } from './resource-types.ts';
import { compareResourceVersions } from './resource-version.ts';
import { stableHash } from './stable-hash.ts';
import type { Change, Store, Watchable } from './store.ts';
import type { WriteTracker } from './write-tracker.ts';

/** The cache of a child type, as the applier uses it. Its transform must keep all fields that are applied. */
export type ChildStore = Pick<Store, 'get' | 'byOwner' | 'resourceVersion'> & Watchable<KubeObject>;

export interface ChildType {
  type: ResourceType;
  store: ChildStore;
  /** The transform of the cache, so that the result of an apply compares with cached objects. Default: `dropBulk`. */
  transform?: (object: KubeObject) => KubeObject;
  /** False for types that are never deleted, such as volumes. Default true. */
  prune?: boolean;
}

export interface ApplierOptions {
  client: KubeClient;
  /** Use one name per concern, because the server removes fields that a manager stops sending. */
  fieldManager: string;
  /** All possible child types. Children of these types that are no longer desired are deleted. */
  children: readonly ChildType[];
  /** Annotation with the hash of the applied content. With it, a restart needs no request for objects that are up to date. */
  hashAnnotation?: string;
  tracker?: WriteTracker;
  fight?: FightOptions;
  log?: Logger;
  registry?: Registry | undefined;
  clock?: Clock;
}

export interface ApplyInput {
  /** The owner as the server returned it. Children are in its namespace. */
  owner: KubeObject;
  /** The complete desired state, applied in this order. Do not modify the objects afterwards. */
  desired: readonly KubeObject[];
  /** Whether to delete children that `desired` does not contain. Default true. */
  prune?: boolean;
  /** Whether children that have lost their owner reference get it back. Default true. */
  adopt?: boolean;
  signal?: AbortSignal | undefined;
}

export interface AppliedChange {
  action: 'created' | 'updated' | 'deleted';
  type: ResourceType;
  key: Key;
  /** The object as the server returned it. */
  object?: KubeObject;
}

/** A child that another client keeps changing. It is left alone for a while. */
export interface Fight {
  type: ResourceType;
  key: Key;
  /** Field managers that have written the child, latest first. */
  managers: string[];
  retryAfterMs: number;
}

export interface ApplyResult {
  changes: AppliedChange[];
  fights: Fight[];
  /** Number of requests; 0 if everything was up to date. */
  requests: number;
}

/** An object with the name of a child exists and has another owner. */
export class NotOwnedError extends Error {
  override readonly name = 'NotOwnedError';
  readonly code = 'NotOwned';
  readonly type: ResourceType;
  readonly key: Key;

  constructor(type: ResourceType, key: Key, owner: string | undefined) {
    const belongs = owner ? `it belongs to ${owner}` : 'it was not created by this operator';
    super(`${type.kind} ${key} exists and ${belongs}; delete or rename it`);
    this.type = type;
    this.key = key;
  }
}

interface Child extends ChildType {
  key: Key;
  id: string;
  wanted: KubeObject;
  hash: string;
}

type Run = ApplyInput & ApplyResult;

export class Applier {
  readonly #options: ApplierOptions;
  readonly #stores: ReadonlyMap<string, ChildType>;
  readonly #state: AppliedState;
  readonly #children = new WeakMap<KubeObject, { ownerUid: string | undefined; child: Child }>();
  readonly #fights: FightBreaker;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #results: Counter<'result'> | undefined;

  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#stores = new Map(
      options.children.map((child) => [kindId(apiVersionOf(child.type), child.type.kind), child]),
    );
    this.#state = new AppliedState(options.hashAnnotation);
    this.#fights = new FightBreaker(options.fight);
    this.#log = options.log ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
    this.#results =
      options.registry &&
      counter(options.registry, {
        name: 'apply_total',
        help: 'Children looked at by result: skipped (in place, no request), unchanged, created, updated, deleted, fight.',
        labelNames: ['result'],
      });
    for (const { type, store } of options.children) {
      store.subscribe((change) => this.#observe(type, change));
    }
  }

  /**
   * Applies the desired children of an owner and deletes the others. Unchanged children need no request.
   * @throws KubeError of the first request that fails. Earlier changes are not rolled back.
   * @throws NotOwnedError if a name is taken.
   */
  async apply(input: ApplyInput): Promise<ApplyResult> {
    const run: Run = { ...input, changes: [], fights: [], requests: 0 };
    const children = input.desired.map((object) => this.#child(object, input.owner));
    for (const child of children) {
      await this.#ensure(child, run);
    }
    if (input.prune ?? true) {
      await this.#prune(new Set(children.map((child) => child.id)), run);
    }
    return { changes: run.changes, fights: run.fights, requests: run.requests };
  }

  /** Caches what is derived from a desired object. Without changes, hashing would cost more than everything else. */
  #child(object: KubeObject, owner: KubeObject): Child {
    const kept = this.#children.get(object);
    if (kept && kept.ownerUid === owner.metadata.uid) return kept.child;
    const child = this.#makeChild(object, owner);
    this.#children.set(object, { ownerUid: owner.metadata.uid, child });
    return child;
  }

  #makeChild(object: KubeObject, owner: KubeObject): Child {
    const known = this.#stores.get(kindId(object.apiVersion, object.kind));
    if (known === undefined) {
      throw new TypeError(`${object.apiVersion} ${object.kind} is not among the child types of this applier`);
    }
    const owned = withOwner(object, controllerReference(owner));
    const hash = stableHash(owned);
    const { hashAnnotation } = this.#options;
    const wanted = hashAnnotation ? withAnnotation(owned, hashAnnotation, hash) : owned;
    const key = keyOf(object);
    return { ...known, key, id: childId(known.type, key), wanted, hash };
  }

  async #ensure(child: Child, run: Run): Promise<void> {
    const { type, store, transform = dropBulk, key, id, wanted, hash } = child;
    const cached = store.get(key);
    if (run.adopt === false && cached !== undefined && controllerOf(cached) === undefined) {
      return;
    }
    if (this.#state.inSync(id, hash, wanted, cached, store.resourceVersion)) {
      this.#count('skipped');
      return;
    }
    const correction = this.#state.wasApplied(id, hash);
    if (correction && !this.#fights.allow(id, this.#clock.monotonic())) {
      run.fights.push(await this.#fight(child, run));
      return;
    }
    const live = cached ?? (await this.#look(child, run));
    this.#checkOwner(child, live, run.owner);
    if (live?.metadata.deletionTimestamp !== undefined) {
      return;
    }
    run.requests++;
    const { tracker } = this.#options;
    const result = transform(await this.#apply(child, live, run));
    const before = newest(live?.metadata.resourceVersion ?? '', live && this.#state.lastVersion(id));
    this.#state.record(id, hash, result);
    if (result.metadata.resourceVersion === before) {
      this.#fights.refund(id);
      this.#count('unchanged');
      return;
    }
    tracker?.wrote(keyOf(run.owner), store, result);
    this.#changed({ action: live === undefined ? 'created' : 'updated', type, key, object: result }, run);
  }

  /**
   * Applies. If the result would be invalid, list items of another client conflict with ours (for example two Service ports
   * with one name), which an apply never removes. The lists are then replaced as a whole first.
   */
  async #apply({ type, wanted }: Child, live: KubeObject | undefined, run: Run): Promise<KubeObject> {
    const { client, fieldManager } = this.#options;
    const apply = () => client.apply(type, wanted, { fieldManager, signal: run.signal });
    try {
      return await apply();
    } catch (error) {
      if (live === undefined || !isKubeError(error, 'Invalid')) {
        throw error;
      }
      const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, ...content } = { ...wanted };
      run.requests += 2;
      // If this is rejected too, the desired object itself is invalid.
      await client.patch(type, wanted.metadata, { merge: content }, { fieldManager, signal: run.signal });
      return await apply();
    }
  }

  /** Looks before creating, because an object with that name may be outside the cache's selector or too new for the cache. */
  async #look({ type, wanted }: Child, run: Run): Promise<KubeObject | undefined> {
    run.requests++;
    try {
      return dropBulk(await this.#options.client.get(type, wanted.metadata, { signal: run.signal }));
    } catch (error) {
      if (isKubeError(error, 'NotFound')) {
        return undefined;
      }
      throw error;
    }
  }

  /** Server-side apply takes over any existing object, so objects of others have to be detected first. */
  #checkOwner({ type, key, id }: Child, live: KubeObject | undefined, owner: KubeObject): void {
    if (live === undefined) {
      return;
    }
    const controller = controllerOf(live);
    const foreign = controller !== undefined && controller.uid !== owner.metadata.uid;
    const ours = isOwnedBy(live, owner.metadata.uid ?? '') || this.#state.recognizes(id, live);
    if (foreign || !ours) {
      throw new NotOwnedError(type, key, controller && `${controller.kind} ${controller.name}`);
    }
  }

  async #prune(wanted: ReadonlySet<string>, run: Run): Promise<void> {
    const { uid = '', namespace } = run.owner.metadata;
    for (const { type, store, prune = true } of this.#stores.values()) {
      for (const object of prune ? store.byOwner(uid) : []) {
        const unwanted = !wanted.has(childId(type, keyOf(object))) && controllerOf(object)?.uid === uid;
        if (
          unwanted &&
          object.metadata.namespace === namespace &&
          object.metadata.deletionTimestamp === undefined
        ) {
          await this.#delete(type, store, object, run);
        }
      }
    }
  }

  /** The preconditions ensure that only the observed version is deleted. */
  async #delete(type: ResourceType, store: ChildStore, object: KubeObject, run: Run): Promise<void> {
    const { client, tracker } = this.#options;
    const { uid, resourceVersion } = object.metadata;
    run.requests++;
    try {
      await client.delete(type, object.metadata, {
        preconditions: { uid, resourceVersion },
        propagation: 'Background',
        signal: run.signal,
      });
    } catch (error) {
      if (isKubeError(error, 'NotFound')) {
        return;
      }
      throw error;
    }
    tracker?.deleted(keyOf(run.owner), store, object);
    this.#changed({ action: 'deleted', type, key: keyOf(object), object }, run);
  }

  /** Stops correcting the child and finds out who changes it. */
  async #fight({ type, key, id, wanted }: Child, run: Run): Promise<Fight> {
    this.#count('fight');
    run.requests++;
    const managers = await this.#options.client
      .get(type, wanted.metadata, { signal: run.signal })
      .then((object) => otherManagers(object, this.#options.fieldManager))
      .catch((error: unknown) => {
        if (isKubeError(error, 'NotFound')) {
          return [];
        }
        throw error;
      });
    const retryAfterMs = this.#fights.waitMs(id, this.#clock.monotonic());
    this.#log.warn(
      { type: typeName(type), key, managers, retryAfterMs },
      'another client keeps changing a child',
    );
    return { type, key, managers, retryAfterMs };
  }

  #changed(change: AppliedChange, run: Run): void {
    run.changes.push(change);
    this.#count(change.action);
    this.#log.info({ action: change.action, type: typeName(change.type), key: change.key }, 'child changed');
  }

  #count(result: string): void {
    this.#results?.inc({ result });
  }

  #observe(type: ResourceType, change: Change<KubeObject>): void {
    if (change.new === undefined) {
      for (const id of this.#state.gone(childId(type, change.key), this.#clock.monotonic())) {
        this.#fights.reset(id);
      }
    }
  }
}

function kindId(apiVersion: string, kind: string): string {
  return `${apiVersion}/${kind}`;
}

function childId(type: ResourceType, key: Key): string {
  return `${typeName(type)}/${key}`;
}

function withAnnotation(object: KubeObject, name: string, value: string): KubeObject {
  const { metadata } = object;
  return { ...object, metadata: { ...metadata, annotations: { ...metadata.annotations, [name]: value } } };
}

function newest(a: string, b = ''): string {
  return compareResourceVersions(a, b) >= 0 ? a : b;
}

/** Other names in managedFields, latest first. Managers of status do not count. */
function otherManagers(object: KubeObject, own: string): string[] {
  const entries = (object.metadata.managedFields ?? [])
    .filter(isManagedFields)
    .filter((entry) => entry.manager !== own && !entry.subresource)
    .sort((a, b) => (b.time ?? '').localeCompare(a.time ?? ''));
  return [...new Set(entries.map((entry) => entry.manager))];
}

function isManagedFields(value: unknown): value is { manager: string; time?: string; subresource?: string } {
  return (
    typeof value === 'object' && value !== null && 'manager' in value && typeof value.manager === 'string'
  );
}
