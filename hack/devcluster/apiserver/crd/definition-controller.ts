import { type ApiObject, timestamp } from '../api-object.ts';
import { FieldSet } from '../apply/field-set.ts';
import { trackUpdate } from '../apply/updater.ts';
import { type JsonObject, objectAt, objectsAt, stringAt } from '../json.ts';
import type { Resource } from '../resource.ts';
import type { ServerContext } from '../server-context.ts';
import type { StoreEvent } from '../store.ts';
import { customCollection } from './custom-collection.ts';
import { customResources, specDigest } from './custom-resource.ts';
import { CLEANUP_FINALIZER, isEstablished } from './definition-behaviour.ts';

const DEFINITIONS = 'apiextensions.k8s.io/customresourcedefinitions';

/** Serves what CustomResourceDefinitions define, and keeps their conditions. */
export class DefinitionController {
  readonly #server: ServerContext;
  readonly #served = new Map<string, { digest: string; resources: Resource[] }>();
  readonly #endWatches: (collection: string) => void;

  /** @param endWatches closes watches of a collection whose definition went */
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
    const now = timestamp(this.#server.now());
    const names = objectAt(definition, 'spec', 'names');
    const status: JsonObject = {
      conditions: [
        {
          type: 'NamesAccepted',
          status: 'True',
          lastTransitionTime: now,
          reason: 'NoConflicts',
          message: 'no conflicts found',
        },
        {
          type: 'Established',
          status: 'True',
          lastTransitionTime: now,
          reason: 'InitialNamesAccepted',
          message: 'the initial names have been accepted',
        },
      ],
      acceptedNames: { ...names },
      storedVersions: objectsAt(definition, 'spec', 'versions')
        .filter((version) => version.storage === true)
        .map((version) => stringAt(version, 'name')),
    };
    this.#writeStatus(definition, { ...definition, status });
  }

  #writeStatus(before: ApiObject, after: ApiObject): void {
    const resource = this.#server.registry.find('apiextensions.k8s.io', 'v1', 'customresourcedefinitions');
    if (!resource) return;
    const tracked = trackUpdate(before, after, {
      type: resource.type,
      identity: {
        manager: 'kube-apiserver',
        operation: 'Update',
        apiVersion: 'apiextensions.k8s.io/v1',
        subresource: 'status',
      },
      reset: FieldSet.fromJson({ 'f:spec': {}, 'f:metadata': {} }),
      time: timestamp(this.#server.now()),
    });
    this.#server.store.put(DEFINITIONS, tracked);
  }

  /** Deletes the custom resources of a definition that is being deleted, then lets it go. */
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
