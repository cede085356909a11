/** The grants of one pool while its models are judged. Each name has exactly one holder, which the route table relies on. */
import type { Key } from '../kube/key.ts';
import type { Grant } from './grant.ts';

/** Total length of the names of one namespace, in characters. Every router holds them in memory. */
export const MAX_NAME_LENGTH_PER_NAMESPACE = 262_144;

interface Share {
  models: number;
  replicas: number;
  nameLength: number;
}

export class Holdings {
  readonly #grants: Map<Key, Grant>;
  readonly #holders = new Map<string, Key>();
  readonly #shares = new Map<string, Share>();
  #changed = new Set<Key>();
  #replicas = 0;

  constructor(grants: ReadonlyMap<Key, Grant> = new Map()) {
    this.#grants = new Map(grants);
    for (const [key, grant] of grants) this.#count(key, grant, 1);
  }

  get grants(): ReadonlyMap<Key, Grant> {
    return this.#grants;
  }

  of(key: Key): Grant | undefined {
    return this.#grants.get(key);
  }

  /** Key of the model that holds a name. */
  holder(name: string): Key | undefined {
    return this.#holders.get(name);
  }

  /** Replicas charged to the whole pool. */
  get replicas(): number {
    return this.#replicas;
  }

  /** Totals of a namespace. */
  share(namespace: string): Readonly<Share> {
    return this.#shares.get(namespace) ?? { models: 0, replicas: 0, nameLength: 0 };
  }

  /** Replaces the grant of a model; undefined removes it. The names must be free or held by this model. */
  set(key: Key, grant: Grant | undefined): void {
    const before = this.#grants.get(key);
    if (before && grant && isSame(before, grant)) return;
    if (before) this.#count(key, before, -1);
    this.#grants.delete(key);
    this.#changed.add(key);
    if (!grant) return;
    this.#grants.set(key, grant);
    this.#count(key, grant, 1);
  }

  /** Keys of the models whose grant has changed since the last call. */
  takeChanged(): ReadonlySet<Key> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  #count(key: Key, { names, replicas }: Grant, sign: 1 | -1): void {
    const namespace = namespaceOf(key);
    const share = this.#shares.get(namespace) ?? { models: 0, replicas: 0, nameLength: 0 };
    this.#shares.set(namespace, {
      models: share.models + sign,
      replicas: share.replicas + sign * replicas,
      nameLength: share.nameLength + sign * nameLength(names),
    });
    this.#replicas += sign * replicas;
    for (const name of names) {
      if (sign === 1) this.#holders.set(name, key);
      else this.#holders.delete(name);
    }
  }
}

/** Total length of the names. */
export function nameLength(names: readonly string[]): number {
  return names.reduce((sum, name) => sum + name.length, 0);
}

/** The namespace of a namespaced key. */
export function namespaceOf(key: Key): string {
  return key.slice(0, key.indexOf('/'));
}

/** Whether two grants are equal. */
export function isSame(a: Grant, b: Grant): boolean {
  return (
    a.replicas === b.replicas &&
    a.names.length === b.names.length &&
    a.names.every((name, i) => name === b.names[i])
  );
}
