/** Who holds what of one pool while its models are judged. Each name has one holder: that is what the route table rests on. */
import type { Key } from '../kube/key.ts';
import type { Grant } from './grant.ts';

/** Names of one namespace, in characters: they take room in the memory of every router. */
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

  /** What the models of a namespace hold together. */
  share(namespace: string): Readonly<Share> {
    return this.#shares.get(namespace) ?? { models: 0, replicas: 0, nameLength: 0 };
  }

  /** Replaces what a model holds; with undefined it holds nothing. The names must be free, or its own. */
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

  /** Models whose holdings have changed since this was asked last. */
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

/** Characters of names together. */
export function nameLength(names: readonly string[]): number {
  return names.reduce((sum, name) => sum + name.length, 0);
}

/** The namespace of a namespaced key. */
export function namespaceOf(key: Key): string {
  return key.slice(0, key.indexOf('/'));
}

/** Whether two grants say the same. */
export function isSame(a: Grant, b: Grant): boolean {
  return (
    a.replicas === b.replicas &&
    a.names.length === b.names.length &&
    a.names.every((name, i) => name === b.names[i])
  );
}
