/** The Kubernetes API as typed calls on plain JSON. Nothing that the server sends is converted or dropped. */
import { isKubeError, isStatus, KubeError } from './errors.ts';
import type { KubeObject, ObjectKey, ResourceType } from './object.ts';
import { collectionPath, objectPath, type Query } from './resource-path.ts';
import { apiVersionOf } from './resource-types.ts';
import type { Request, Response, Transport } from './transport.ts';
import { readWatch, type WatchEvent } from './watch-stream.ts';

export interface CallOptions {
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}

export interface GetOptions extends CallOptions {
  subresource?: string | undefined;
}

export interface WriteOptions extends CallOptions {
  subresource?: string | undefined;
  /** Validate and answer without storing anything. */
  dryRun?: boolean | undefined;
  /** Field manager of the write. Default: the client's. */
  fieldManager?: string | undefined;
}

export interface ApplyOptions extends WriteOptions {
  /**
   * Whether to take fields over from other managers. Default true, because a controller cannot resolve conflicts
   * interactively.
   */
  force?: boolean | undefined;
}

export interface Selection {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
}

export interface ListOptions extends CallOptions, Selection {
  /** Objects per page. Default 50; 0 requests all at once. */
  pageSize?: number | undefined;
  /** Stop after this many objects. Default: no limit. */
  atMost?: number | undefined;
  /** Fetch only `metadata` (PartialObjectMetadata). */
  metadataOnly?: boolean | undefined;
}

/** Maps each object of a list; undefined drops it. Called per page, so that dropped data does not accumulate in memory. */
type Transform<T extends KubeObject> = (object: T) => T | undefined;

export interface KubeList<T> {
  items: T[];
  resourceVersion: string;
}

export interface WatchOptions extends CallOptions, Selection {
  /** Start after this version. Without it, the server first sends ADDED events for existing objects. */
  resourceVersion?: string | undefined;
  /** When the server ends the watch. */
  timeoutSeconds?: number | undefined;
  metadataOnly?: boolean | undefined;
  /** Called once the server has accepted the watch, which can be long before the first event. */
  onOpen?: (() => void) | undefined;
}

export interface DeleteOptions extends CallOptions {
  preconditions?: { uid?: string | undefined; resourceVersion?: string | undefined } | undefined;
  propagation?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  gracePeriodSeconds?: number | undefined;
  dryRun?: boolean | undefined;
}

export type PatchBody = { merge: object } | { json: readonly object[] } | { strategic: object };

/**
 * An object can have 1.5 MiB (limit of etcd), and tenants can create such objects. A page of 50 is then 75 MiB of text,
 * held once as bytes and once as objects. A page of 500, as in client-go, would exceed the longest string in Node.
 */
const PAGE_SIZE = 50;

const JSON_TYPE = 'application/json';
const PARTIAL = 'as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
const PARTIAL_LIST = 'as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

/** Calls throw KubeError if the server returns an error or cannot be reached, and the signal's reason if aborted. */
export class KubeClient {
  readonly #transport: Transport;
  readonly #fieldManager: string;

  constructor(transport: Transport, { fieldManager = 'vllm-operator' }: { fieldManager?: string } = {}) {
    this.#transport = transport;
    this.#fieldManager = fieldManager;
  }

  /** The same client with connections of its own, see `Transport`. */
  withOwnConnections(connections: number): KubeClient {
    return new KubeClient(this.#transport.withOwnConnections(connections), {
      fieldManager: this.#fieldManager,
    });
  }

  /** Reads one object. */
  async get<T extends KubeObject>(type: ResourceType, key: ObjectKey, options: GetOptions = {}): Promise<T> {
    return this.#object<T>({
      method: 'GET',
      path: objectPath(type, key, options.subresource),
      ...call(options),
    });
  }

  /**
   * Reads all objects of a collection page by page. If the snapshot of the pages expires, reads everything again in one
   * request, like client-go. Fills in `apiVersion` and `kind`, which lists of built-in kinds omit.
   */
  async list<T extends KubeObject>(
    type: ResourceType,
    options: ListOptions & { transform?: Transform<T> | undefined } = {},
  ): Promise<KubeList<T>> {
    const pageSize = options.pageSize ?? PAGE_SIZE;
    const first = await this.#page<T>(type, options, pageSize, undefined);
    const items = first.items;
    let next = first.next;
    let resourceVersion = first.resourceVersion;
    while (next !== undefined && items.length < (options.atMost ?? Number.POSITIVE_INFINITY)) {
      try {
        const page = await this.#page<T>(type, options, pageSize, next);
        for (const item of page.items) {
          items.push(item);
        }
        next = page.next;
        resourceVersion = page.resourceVersion;
      } catch (error) {
        if (isKubeError(error, 'Expired')) {
          return this.#page<T>(type, options, 0, undefined);
        }
        throw error;
      }
    }
    return { items, resourceVersion };
  }

  async create<T extends KubeObject>(type: ResourceType, object: T, options: WriteOptions = {}): Promise<T> {
    const collection = collectionPath(type, object.metadata.namespace);
    const path = options.subresource ? objectPath(type, object.metadata, options.subresource) : collection;
    return this.#object<T>(this.#write('POST', path, JSON_TYPE, object, options));
  }

  /** Server-side apply: creates the object, or sets the fields of `object` and removes those that are no longer sent. */
  async apply<T extends KubeObject>(
    type: ResourceType,
    object: KubeObject,
    options: ApplyOptions = {},
  ): Promise<T> {
    const path = objectPath(type, object.metadata, options.subresource);
    const request = this.#write('PATCH', path, 'application/apply-patch+yaml', object, options);
    return this.#object<T>({
      ...request,
      query: { ...request.query, force: options.force ?? true },
      idempotent: true,
    });
  }

  /** Changes parts of an object. `merge` is a JSON merge patch (RFC 7386), `json` a JSON patch (RFC 6902). */
  async patch<T extends KubeObject>(
    type: ResourceType,
    key: ObjectKey,
    patch: PatchBody,
    options: WriteOptions = {},
  ): Promise<T> {
    const [contentType, body] = patchBody(patch);
    return this.#object<T>(
      this.#write('PATCH', objectPath(type, key, options.subresource), contentType, body, options),
    );
  }

  /** Replaces a whole object. Fails with Conflict if it has changed since it was read. */
  async replace<T extends KubeObject>(type: ResourceType, object: T, options: WriteOptions = {}): Promise<T> {
    const path = objectPath(type, object.metadata, options.subresource);
    return this.#object<T>(this.#write('PUT', path, JSON_TYPE, object, options));
  }

  /** Requests deletion. With finalizers or a grace period the object remains for a while. */
  async delete(type: ResourceType, key: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    await this.#transport.request({
      method: 'DELETE',
      path: objectPath(type, key),
      headers: { 'content-type': JSON_TYPE },
      body: JSON.stringify(deleteOptions(options)),
      ...call(options),
    });
  }

  /**
   * Streams changes, including bookmarks, until the server ends the watch or the signal aborts.
   * @throws KubeError also for an ERROR event (`Expired` if the resourceVersion is too old) and for an invalid line
   * (`Malformed`).
   */
  async *watch<T extends KubeObject>(
    type: ResourceType,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchEvent<T>> {
    const path = collectionPath(type, options.namespace);
    const chunks = await this.#transport.stream({
      method: 'GET',
      path,
      query: {
        ...selectors(options),
        watch: 1,
        allowWatchBookmarks: true,
        resourceVersion: options.resourceVersion,
        timeoutSeconds: options.timeoutSeconds,
      },
      headers: accept(options.metadataOnly ? PARTIAL : undefined),
      ...call(options),
    });
    options.onOpen?.();
    yield* readWatch<T>(chunks, `WATCH ${path}`);
  }

  /** Sends a request to any path and returns the response as text. */
  async raw(request: Omit<Request, 'method'> & { method?: Request['method'] }): Promise<Response> {
    return this.#transport.request({ method: 'GET', ...request });
  }

  /** Streams a response, such as the log of a pod. Read it to the end or abort, because the socket otherwise stays open. */
  async stream(request: Omit<Request, 'method' | 'body' | 'idempotent'>): Promise<AsyncIterable<Uint8Array>> {
    return this.#transport.stream({ method: 'GET', ...request });
  }

  async #page<T extends KubeObject>(
    type: ResourceType,
    options: ListOptions & { transform?: Transform<T> | undefined },
    limit: number,
    next: string | undefined,
  ): Promise<KubeList<T> & { next: string | undefined }> {
    const request: Request = {
      method: 'GET',
      path: collectionPath(type, options.namespace),
      query: { ...selectors(options), limit: limit || undefined, continue: next },
      headers: accept(options.metadataOnly ? PARTIAL_LIST : undefined),
      ...call(options),
    };
    const list = parse(await this.#transport.request(request), request);
    if (!isListOf<T>(list)) {
      throw malformed(request, 'the answer is not a list');
    }
    const apiVersion = apiVersionOf(type);
    const items = list.items ?? [];
    const { transform = (item: T) => item } = options;
    const kept = items.flatMap((item) => {
      item.apiVersion ??= apiVersion;
      item.kind ??= type.kind;
      return transform(item) ?? [];
    });
    return {
      items: kept,
      resourceVersion: list.metadata.resourceVersion ?? '',
      next: list.metadata.continue || undefined,
    };
  }

  #write(
    method: 'POST' | 'PUT' | 'PATCH',
    path: string,
    contentType: string,
    body: object,
    options: WriteOptions,
  ): Request {
    return {
      method,
      path,
      query: {
        fieldManager: options.fieldManager ?? this.#fieldManager,
        dryRun: options.dryRun ? 'All' : undefined,
      },
      headers: { 'content-type': contentType },
      body: JSON.stringify(body),
      ...call(options),
    };
  }

  async #object<T extends KubeObject>(request: Request): Promise<T> {
    const parsed = parse(await this.#transport.request(request), request);
    if (!isObject<T>(parsed)) {
      throw malformed(
        request,
        isStatus(parsed) ? (parsed.message ?? 'a Status') : 'the answer is not an object',
      );
    }
    return parsed;
  }
}

function call(options: CallOptions): Pick<Request, 'signal' | 'timeoutMs'> {
  return { signal: options.signal, timeoutMs: options.timeoutMs };
}

function selectors(selection: Selection): Query {
  return { labelSelector: selection.labelSelector, fieldSelector: selection.fieldSelector };
}

/** The plain type is also accepted: a server that cannot convert returns whole objects. */
function accept(parameters: string | undefined): Record<string, string> {
  return { accept: parameters ? `${JSON_TYPE};${parameters},${JSON_TYPE}` : JSON_TYPE };
}

function patchBody(patch: PatchBody): [contentType: string, body: object] {
  if ('merge' in patch) {
    return ['application/merge-patch+json', patch.merge];
  }
  if ('json' in patch) {
    return ['application/json-patch+json', patch.json];
  }
  return ['application/strategic-merge-patch+json', patch.strategic];
}

function deleteOptions(options: DeleteOptions): object {
  return {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    preconditions: options.preconditions,
    propagationPolicy: options.propagation,
    gracePeriodSeconds: options.gracePeriodSeconds,
    dryRun: options.dryRun ? ['All'] : undefined,
  };
}

function parse(response: Response, request: Request): unknown {
  try {
    return JSON.parse(response.text);
  } catch (error) {
    throw malformed(request, 'the answer is not JSON', error);
  }
}

function isObject<T extends KubeObject>(value: unknown): value is T {
  return typeof value === 'object' && value !== null && 'metadata' in value && !isStatus(value);
}

interface RawList<T> {
  metadata: { resourceVersion?: string; continue?: string };
  items?: T[] | null;
}

function isListOf<T>(value: unknown): value is RawList<T> {
  return typeof value === 'object' && value !== null && 'items' in value && 'metadata' in value;
}

function malformed(request: Request, message: string, cause?: unknown): KubeError {
  return new KubeError({ code: 'Malformed', request: `${request.method} ${request.path}`, message, cause });
}
