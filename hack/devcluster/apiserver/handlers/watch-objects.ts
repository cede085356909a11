import type { ServerResponse } from 'node:http';
import type { ApiObject } from '../api-object.ts';
import { type ObjectFilter, parseFilter } from '../object-filter.ts';
import { partialMeta } from '../object-meta.ts';
import type { Representation } from '../representation.ts';
import type { RequestInfo } from '../request-info.ts';
import { apiVersionOf, type Resource } from '../resource.ts';
import type { ServerContext } from '../server-context.ts';
import { StatusError } from '../status-error.ts';
import type { StoreEvent } from '../store.ts';
import { tableOf } from '../table/table.ts';
import type { WatchSessions } from '../watch-sessions.ts';
import { selectObjects } from './list-objects.ts';
import { checkListOptions } from './list-options.ts';

/** Bookmarks come about once a minute, as kube-apiserver sends them. */
const BOOKMARK_MS = 60_000;
const DEFAULT_TIMEOUT_SECONDS = 1800;

/** Answers a watch: a stream of events, one a line. */
export function watchObjects(
  server: ServerContext,
  sessions: WatchSessions,
  resource: Resource,
  info: RequestInfo,
  shape: Representation,
  response: ServerResponse,
): void {
  const { query } = info;
  checkListOptions(query, true);
  const filter = parseFilter(resource, query);
  const initial = query.get('sendInitialEvents');
  const text = query.get('resourceVersion') ?? '';
  if (!/^\d*$/.test(text)) {
    throw new StatusError(
      500,
      '',
      `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  const from = text === '' ? 0 : Number(text);
  response.statusCode = 200;
  response.setHeader('Content-Type', 'application/json');
  response.setHeader('Cache-Control', 'no-cache, private');
  response.flushHeaders();
  const stream = new WatchStream({ server, resource, info, shape, filter, response });
  try {
    stream.start(from, initial);
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    response.end(`${JSON.stringify({ type: 'ERROR', object: error.body })}\n`);
    return;
  }
  stream.keep(sessions, Number(query.get('timeoutSeconds') ?? 0) || DEFAULT_TIMEOUT_SECONDS);
}

/** What a watch selects, and the response that its events go to. */
interface Watch {
  server: ServerContext;
  resource: Resource;
  info: RequestInfo;
  shape: Representation;
  filter: ObjectFilter;
  response: ServerResponse;
}

class WatchStream {
  readonly #watch: Watch;
  #stop: () => void = () => {};
  #tableSent = false;

  constructor(watch: Watch) {
    this.#watch = watch;
  }

  /** Sends the existing objects, or the changes since `from`, then every later change. Throws Expired. */
  start(from: number, initial: string | null): void {
    const { store } = this.#watch.server;
    const synthetic = initial === 'true' || (from === 0 && initial === null);
    if (!synthetic)
      store.assertRemembered(this.#watch.resource.collection, from === 0 ? store.revision : from);
    let after = from === 0 ? store.revision : from;
    if (synthetic) {
      after = store.revision;
      for (const object of selectObjects(
        this.#watch.server,
        this.#watch.resource,
        this.#watch.info.namespace,
        this.#watch.filter,
      )) {
        this.#send('ADDED', object);
      }
      if (initial === 'true' && this.#bookmarks()) this.#bookmark(true);
    }
    this.#stop = store.watch(this.#watch.resource.collection, after, (event) => {
      this.#event(event);
    });
  }

  keep(sessions: WatchSessions, timeoutSeconds: number): void {
    const ticker = this.#bookmarks() ? setInterval(() => this.#bookmark(false), BOOKMARK_MS) : undefined;
    const stop = (): void => {
      this.#stop();
      clearInterval(ticker);
      clearTimeout(timer);
      remove();
    };
    // With a client that reads slowly, the response closes long after the watch has ended.
    const end = (): void => {
      stop();
      this.#watch.response.end();
    };
    const timer = setTimeout(end, timeoutSeconds * 1000);
    ticker?.unref();
    timer.unref();
    const remove = sessions.add(this.#watch.resource.collection, end);
    this.#watch.response.once('close', stop);
  }

  #bookmarks(): boolean {
    return this.#watch.info.query.get('allowWatchBookmarks') === 'true';
  }

  #event(event: StoreEvent): void {
    const { namespace } = this.#watch.info;
    if (this.#watch.resource.namespaced && namespace !== '' && event.object.metadata.namespace !== namespace)
      return;
    const object = this.#watch.resource.fromStored(event.object);
    const now = event.type !== 'DELETED' && this.#watch.filter.matches(object);
    const before =
      event.old !== undefined && this.#watch.filter.matches(this.#watch.resource.fromStored(event.old));
    if (now) this.#send(before ? 'MODIFIED' : 'ADDED', object);
    else if (before) this.#send('DELETED', event.type === 'DELETED' ? object : this.#left(event));
  }

  /** The object of the DELETED event for one that no longer matches: its last matching state, with the new resourceVersion. */
  #left(event: StoreEvent): ApiObject {
    const old = this.#watch.resource.fromStored(event.old ?? event.object);
    return { ...old, metadata: { ...old.metadata, resourceVersion: String(event.revision) } };
  }

  #send(type: string, object: ApiObject): void {
    this.#watch.response.write(`{"type":"${type}","object":${this.#encode(object)}}\n`);
  }

  #encode(object: ApiObject): string {
    if (this.#watch.shape === 'partial') return JSON.stringify(partialMeta(object));
    if (this.#watch.shape === 'object') return JSON.stringify(object);
    const table = tableOf(this.#watch.server, this.#watch.resource, [object], this.#watch.info.query);
    if (this.#tableSent) table.columnDefinitions = [];
    this.#tableSent = true;
    return JSON.stringify(table);
  }

  #bookmark(initialEnd: boolean): void {
    const resourceVersion = String(this.#watch.server.store.revision);
    const metadata = initialEnd
      ? { resourceVersion, annotations: { 'k8s.io/initial-events-end': 'true' } }
      : { resourceVersion };
    const partial = this.#watch.shape === 'partial';
    const object = {
      kind: partial ? 'PartialObjectMetadata' : this.#watch.resource.kind,
      apiVersion: partial ? 'meta.k8s.io/v1' : apiVersionOf(this.#watch.resource),
      metadata,
    };
    this.#watch.response.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
  }
}
