/** What the small API server keeps: objects, their history, and the verbs on them. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, ResourceType } from '../../../../operator/kube/object.ts';
import { collectionPath } from '../../../../operator/kube/resource-path.ts';

/** A request as it came. */
export interface Recorded {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: string;
}

type Stored = KubeObject & Record<string, unknown>;

export interface StoredEvent {
  collection: string;
  version: number;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  object: Stored;
}

interface Answer {
  status: number;
  object: unknown;
}

interface Target {
  collection: string;
  namespace: string | undefined;
  name: string | undefined;
  subresource: string | undefined;
}

export class MiniStore {
  version = 100;
  /** Watches and page tokens from before this version have expired. */
  compactedTo = 0;
  onEvent: (event: StoredEvent) => void = () => {};
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #history: StoredEvent[] = [];
  readonly #pages = new Map<string, { version: number; items: Stored[] }>();

  list(type: ResourceType): Stored[] {
    return [...this.#collection(collectionPath(type)).values()];
  }

  /** Creates or changes an object, as anyone else would. */
  put(type: ResourceType, object: KubeObject): Stored {
    const collection = collectionPath(type);
    const old = this.#collection(collection).get(id(object));
    return this.#save(collection, { ...old, ...object, metadata: { ...old?.metadata, ...object.metadata } });
  }

  remove(type: ResourceType, key: string): void {
    this.#delete(collectionPath(type), key);
  }

  /** Forgets the history up to now. */
  compact(): void {
    this.compactedTo = this.version + 1;
    this.version++;
    this.#history.length = 0;
  }

  eventsAfter(collection: string, version: number): { type: string; object: Stored }[] {
    return this.#history
      .filter((event) => event.collection === collection && event.version > version)
      .map(({ type, object }) => ({ type, object }));
  }

  answer(request: Recorded): Answer {
    const target = parse(request.path);
    if (target === undefined) {
      return failure(404, 'NotFound', 'no such path');
    }
    if (request.method === 'GET') {
      return target.name === undefined ? this.#list(target, request.query) : this.#get(target);
    }
    const body = JSON.parse(request.body || '{}') as Stored;
    switch (request.method) {
      case 'POST':
        return this.#create(target, body);
      case 'PUT':
        return this.#replace(target, body);
      case 'PATCH':
        return request.headers['content-type']?.startsWith('application/apply-patch')
          ? this.#apply(target, body, request.query.get('fieldManager') ?? '')
          : this.#merge(target, body);
      default:
        return this.#remove(target, body);
    }
  }

  #collection(name: string): Map<string, Stored> {
    const known = this.#objects.get(name) ?? new Map<string, Stored>();
    this.#objects.set(name, known);
    return known;
  }

  #save(collection: string, object: Stored): Stored {
    const objects = this.#collection(collection);
    const old = objects.get(id(object));
    const stored: Stored = structuredClone({
      ...object,
      metadata: {
        ...object.metadata,
        uid: old?.metadata.uid ?? object.metadata.uid ?? randomUUID(),
        creationTimestamp: old?.metadata.creationTimestamp ?? '2026-01-01T00:00:00Z',
        resourceVersion: old?.metadata.resourceVersion ?? '',
      },
    });
    if (old !== undefined && isDeepStrictEqual(old, stored)) {
      return old;
    }
    stored.metadata.resourceVersion = String(++this.version);
    objects.set(id(stored), stored);
    this.#record(collection, old === undefined ? 'ADDED' : 'MODIFIED', stored);
    return stored;
  }

  #delete(collection: string, key: string): Stored | undefined {
    const objects = this.#collection(collection);
    const old = objects.get(key);
    if (old !== undefined) {
      objects.delete(key);
      const last = { ...old, metadata: { ...old.metadata, resourceVersion: String(++this.version) } };
      this.#record(collection, 'DELETED', last);
    }
    return old;
  }

  #record(collection: string, type: StoredEvent['type'], object: Stored): void {
    const event = { collection, version: this.version, type, object };
    this.#history.push(event);
    this.onEvent(event);
  }

  #list({ collection }: Target, query: URLSearchParams): Answer {
    const token = query.get('continue');
    const limit = Number(query.get('limit') ?? 0) || Number.POSITIVE_INFINITY;
    const page = token
      ? this.#pages.get(token)
      : { version: this.version, items: [...this.#collection(collection).values()] };
    if (page === undefined || page.version < this.compactedTo) {
      return failure(410, 'Expired', 'the continue token is too old');
    }
    const rest = page.items.slice(limit);
    const next = rest.length > 0 ? randomUUID() : undefined;
    if (next !== undefined) {
      this.#pages.set(next, { version: page.version, items: rest });
    }
    const metadata = { resourceVersion: String(page.version), ...(next ? { continue: next } : {}) };
    const items = page.items.slice(0, limit).map(({ apiVersion, kind, ...item }) => item);
    return { status: 200, object: { kind: 'List', apiVersion: 'v1', metadata, items } };
  }

  #get(target: Target): Answer {
    const object = this.#collection(target.collection).get(key(target));
    return object ? { status: 200, object } : failure(404, 'NotFound', `${target.name} not found`);
  }

  #create({ collection, namespace }: Target, body: Stored): Answer {
    const object = { ...body, metadata: { ...body.metadata, ...(namespace ? { namespace } : {}) } };
    if (this.#collection(collection).has(id(object))) {
      return failure(409, 'AlreadyExists', `${body.metadata.name} already exists`);
    }
    return { status: 201, object: this.#save(collection, object) };
  }

  #replace(target: Target, body: Stored): Answer {
    const old = this.#collection(target.collection).get(key(target));
    if (old === undefined) {
      return failure(404, 'NotFound', `${target.name} not found`);
    }
    return this.#conflict(old, body) ?? { status: 200, object: this.#save(target.collection, body) };
  }

  #merge(target: Target, body: Stored): Answer {
    const old = this.#collection(target.collection).get(key(target));
    if (old === undefined) {
      return failure(404, 'NotFound', `${target.name} not found`);
    }
    return (
      this.#conflict(old, body) ?? { status: 200, object: this.#save(target.collection, merged(old, body)) }
    );
  }

  /** Not server-side apply, but what it comes to when no two managers share a field. */
  #apply(target: Target, body: Stored, manager: string): Answer {
    const old = this.#collection(target.collection).get(key(target));
    if (old === undefined && (target.subresource || body.metadata.uid)) {
      return target.subresource
        ? failure(404, 'NotFound', 'not found')
        : failure(409, 'Conflict', 'uid mismatch');
    }
    if (old && body.metadata.uid !== undefined && body.metadata.uid !== old.metadata.uid) {
      const cause = { field: 'metadata.uid', message: 'field is immutable' };
      return failure(422, 'Invalid', 'metadata.uid: field is immutable', { causes: [cause] });
    }
    const conflict = old && this.#conflict(old, body);
    if (conflict) {
      return conflict;
    }
    const object = merged(old ?? { apiVersion: '', kind: '', metadata: { name: '' } }, body);
    object.metadata.managedFields = [{ manager, operation: 'Apply' }];
    return { status: old ? 200 : 201, object: this.#save(target.collection, object) };
  }

  #remove(target: Target, options: Record<string, unknown>): Answer {
    const old = this.#collection(target.collection).get(key(target));
    if (old === undefined) {
      return failure(404, 'NotFound', `${target.name} not found`);
    }
    const conflict = this.#conflict(old, {
      ...old,
      metadata: { name: '', ...(options.preconditions as object) },
    });
    return conflict ?? { status: 200, object: this.#delete(target.collection, key(target)) };
  }

  #conflict(old: Stored, body: Stored): Answer | undefined {
    const { uid, resourceVersion } = body.metadata ?? {};
    const other =
      (uid !== undefined && uid !== old.metadata.uid) ||
      (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion);
    return other ? failure(409, 'Conflict', 'the object has been modified') : undefined;
  }
}

function parse(path: string): Target | undefined {
  const match =
    /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(
      path,
    );
  return match
    ? { collection: `${match[1]}/${match[3]}`, namespace: match[2], name: match[4], subresource: match[5] }
    : undefined;
}

function key({ namespace, name }: Target): string {
  return namespace ? `${namespace}/${name}` : `${name}`;
}

function id(object: KubeObject): string {
  return object.metadata.namespace
    ? `${object.metadata.namespace}/${object.metadata.name}`
    : object.metadata.name;
}

function failure(code: number, reason: string, message: string, details?: object): Answer {
  return {
    status: code,
    object: {
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      code,
      reason,
      message,
      ...(details && { details }),
    },
  };
}

function merged<T extends object>(old: T, patch: object): T {
  const result = { ...old } as Record<string, unknown>;
  for (const [name, value] of Object.entries(patch)) {
    const before = result[name];
    if (value === null) {
      delete result[name];
    } else if (isRecord(value) && isRecord(before)) {
      result[name] = merged(before, value);
    } else {
      result[name] = value;
    }
  }
  return result as T;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
