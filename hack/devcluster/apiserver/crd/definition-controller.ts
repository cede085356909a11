import { type ApiObject, timestamp } from '../api-object.ts';
import { trackUpdate } from '../apply/updater.ts';
import { type JsonObject, objectAt, objectsAt, stringAt } from '../json.ts';
import type { Resource } from '../resource.ts';
import { type ServerContext, systemRequest } from '../server-context.ts';
import type { StoreEvent } from '../store.ts';
import { managedWrite } from '../writes/common.ts';
import { customCollection } from './custom-collection.ts';
import { customResources, specDigest } from './custom-resource.ts';
import { CLEANUP_FINALIZER, isEstablished } from './definition-behaviour.ts';

const DEFINITIONS = 'apiextensions.k8s.io/customresourcedefinitions';

/** Serves what CustomResourceDefinitions define, and updates their conditions. */
export class DefinitionController {
  readonly #server: ServerContext;
  readonly #served = new Map<string, { digest: string; resources: Resource[] }>();
  readonly #endWatches: (collection: string) => void;

  /** @param endWatches closes watches of a collection whose definition was deleted */
  constructor(server: ServerContext, endWatches: (collection: string) => void) {
    this.#server = server;
    this.#endWatches = endWatches;
  }

  start(): () => void {
    return this.#server.store.onChange((event) => {
      if (event.collection === DEFINITIONS) this.#changed(event);
    });
  }

  #changed(event: StoreEvent): void {
    const { name } = event.object.metadata;
    if (event.type === 'DELETED') {
      this.#withdraw(name);
      return;
    }
    if (event.object.metadata.deletionTimestamp) {
      setImmediate(() => this.#finalize(name));
      return;
    }
    if (isEstablished(event.object)) this.#serve(event.object);
    else setImmediate(() => this.#establish(name));
  }

  #serve(definition: ApiObject): void {
    const { name } = definition.metadata;
    const digest = specDigest(definition);
    const known = this.#served.get(name);
    if (known?.digest === digest) return;
    const resources = customResources(definition, this.#server.types);
    for (const old of known?.resources ?? [])
      this.#server.registry.remove(old.group, old.version, old.plural);
    for (const resource of resources) this.#server.registry.add(resource);
    this.#served.set(name, { digest, resources });
  }

  #withdraw(name: string): void {
    const known = this.#served.get(name);
    for (const resource of known?.resources ?? [])
      this.#server.registry.remove(resource.group, resource.version, resource.plural);
    this.#served.delete(name);
  }

  #establish(name: string): void {
    const definition = this.#server.store.get(DEFINITIONS, '', name);
    if (!definition || isEstablished(definition) || definition.metadata.deletionTimestamp) return;
    const lastTransitionTime = timestamp(this.#server.now());
    const condition = (type: string, reason: string, message: string): JsonObject => ({
      type,
      status: 'True',
      lastTransitionTime,
      reason,
      message,
    });
    const status = {
      conditions: [
        condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
        condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
      ],
      acceptedNames: objectAt(definition, 'spec', 'names'),
      storedVersions: objectsAt(definition, 'spec', 'versions')
        .filter((version) => version.storage === true)
        .map((version) => stringAt(version, 'name')),
    };
    const resource = this.#server.registry.collections().get(DEFINITIONS);
    if (!resource) throw new Error(`${DEFINITIONS} is not served`);
    const request = systemRequest('system:apiserver', 'kube-apiserver');
    const write = { server: this.#server, resource, namespace: '', name, subresource: 'status', request };
    const tracked = trackUpdate(definition, { ...definition, status }, managedWrite(write, 'Update'));
    this.#server.store.put(DEFINITIONS, tracked);
  }

  /** Deletes the custom resources of a definition that is being deleted, then removes its finalizer. */
  #finalize(name: string): void {
    const { store } = this.#server;
    const definition = store.get(DEFINITIONS, '', name);
    if (!definition?.metadata.deletionTimestamp) return;
    const collection = customCollection(definition);
    for (const object of store.list(collection)) {
      const { metadata } = object;
      if ((metadata.finalizers?.length ?? 0) === 0) store.remove(collection, object);
      else if (!metadata.deletionTimestamp) {
        const deletionTimestamp = timestamp(this.#server.now());
        store.put(collection, {
          ...object,
          metadata: { ...metadata, deletionTimestamp, deletionGracePeriodSeconds: 0 },
        });
      }
    }
    if (store.count(collection) > 0) {
      const stop = store.watch(collection, store.revision, (event) => {
        if (event.type !== 'DELETED' || store.count(collection) > 0) return;
        stop();
        setImmediate(() => this.#finalize(name));
      });
      return;
    }
    const finalizers = (definition.metadata.finalizers ?? []).filter(
      (finalizer) => finalizer !== CLEANUP_FINALIZER,
    );
    this.#endWatches(collection);
    const { finalizers: _, ...metadata } = definition.metadata;
    if (finalizers.length > 0)
      store.put(DEFINITIONS, {
        ...definition,
        metadata: { ...metadata, finalizers } as ApiObject['metadata'],
      });
    else store.remove(DEFINITIONS, definition);
  }
}
