import { X509Certificate } from 'node:crypto';
import type { ApiObject } from '../api-object.ts';
import { isObject } from '../json.ts';
import type { Resource } from '../resource.ts';
import { type ServerContext, systemRequest } from '../server-context.ts';
import { StatusError } from '../status-error.ts';
import type { StoreEvent } from '../store.ts';
import type { Write } from '../writes/common.ts';
import { createObject } from '../writes/create-object.ts';
import { deleteObject } from '../writes/delete-object.ts';

const FINALIZER = 'kubernetes';
/** kube-controller-manager waits 5 s, so that all API servers observe that a namespace is Terminating. Here is only one. */
const EMPTY_AFTER_MS = 500;

/** What the namespace controllers of kube-controller-manager do: fill new namespaces, empty deleted ones. */
export class NamespaceController {
  readonly #server: ServerContext;
  readonly #caPem: string;
  readonly #request = systemRequest('system:kube-controller-manager', 'kube-controller-manager');

  /** @param caPem goes into the ConfigMap kube-root-ca.crt of every namespace; may be empty */
  constructor(server: ServerContext, caPem: string) {
    this.#server = server;
    this.#caPem = caPem === '' ? '' : new X509Certificate(caPem).toString();
  }

  start(): () => void {
    return this.#server.store.onChange((event) => this.#changed(event));
  }

  #changed(event: StoreEvent): void {
    if (event.collection === 'namespaces') {
      const { name, deletionTimestamp } = event.object.metadata;
      if (event.type === 'DELETED') return;
      if (deletionTimestamp) setTimeout(() => this.#empty(name), EMPTY_AFTER_MS).unref();
      else setImmediate(() => this.#fill(name));
      return;
    }
    const { namespace } = event.object.metadata;
    if (event.type !== 'DELETED' || !namespace) return;
    const kept = event.collection === 'serviceaccounts' || event.collection === 'configmaps';
    const owner = this.#server.store.get('namespaces', '', namespace);
    if (owner?.metadata.deletionTimestamp) setImmediate(() => this.#empty(namespace));
    else if (kept) setImmediate(() => this.#fill(namespace));
  }

  #fill(namespace: string): void {
    const found = this.#server.store.get('namespaces', '', namespace);
    if (!found || found.metadata.deletionTimestamp) return;
    this.#create('serviceaccounts', namespace, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default' },
    });
    this.#create('configmaps', namespace, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: 'kube-root-ca.crt',
        annotations: {
          'kubernetes.io/description':
            'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
        },
      },
      data: { 'ca.crt': this.#caPem },
    });
  }

  #create(plural: string, namespace: string, object: ApiObject): void {
    const resource = this.#server.registry.find('', 'v1', plural);
    const { name } = object.metadata;
    if (!resource || this.#server.store.get(plural, namespace, name)) return;
    try {
      createObject(this.#write(resource, namespace, name), object);
    } catch (error) {
      // The namespace may have gone since the event; nothing is left to fill then.
      if (!(error instanceof StatusError)) throw error;
    }
  }

  /**
   * Deletes what is in a terminating namespace: its pods, then the rest (OrderedNamespaceDeletion). When nothing is left,
   * the namespace goes. kube-controller-manager looks again only after half of the pods' longest grace period, or its
   * resync of five minutes; this one as soon as something is gone.
   */
  #empty(namespace: string): void {
    const { store, registry } = this.#server;
    const found = store.get('namespaces', '', namespace);
    if (!found?.metadata.deletionTimestamp) return;
    const resources = [...registry.collections().values()].filter(
      ({ namespaced, collection }) => namespaced && collection !== 'namespaces',
    );
    const pods = resources.filter(({ collection }) => collection === 'pods');
    if (this.#deleteAll(pods, namespace) > 0) return;
    if (this.#deleteAll(resources, namespace) === 0) this.#finish(namespace);
  }

  /** Returns how many objects are left, with finalizers or grace periods. */
  #deleteAll(resources: readonly Resource[], namespace: string): number {
    const { store } = this.#server;
    let left = 0;
    for (const resource of resources) {
      for (const object of store.list(resource.collection, namespace)) {
        if (!object.metadata.deletionTimestamp) {
          const write = this.#write(resource, namespace, object.metadata.name);
          deleteObject(write, { propagationPolicy: 'Background' });
        }
        if (store.get(resource.collection, namespace, object.metadata.name)) left++;
      }
    }
    return left;
  }

  #write(resource: Resource, namespace: string, name: string): Write {
    return { resource, namespace, name, subresource: '', server: this.#server, request: this.#request };
  }

  #finish(name: string): void {
    const { store } = this.#server;
    const found = store.get('namespaces', '', name);
    if (!found?.metadata.deletionTimestamp) return;
    const spec = isObject(found.spec) ? found.spec : {};
    const finalizers = Array.isArray(spec.finalizers)
      ? spec.finalizers.filter((each) => each !== FINALIZER)
      : [];
    const open = { ...found, spec: finalizers.length > 0 ? { finalizers } : {} };
    if (finalizers.length > 0 || (found.metadata.finalizers?.length ?? 0) > 0) {
      if (JSON.stringify(open.spec) !== JSON.stringify(spec)) store.put('namespaces', open);
    } else store.remove('namespaces', open);
  }
}
