import { type ApiObject, timestamp } from '../api-object.ts';
import { isObject, type JsonObject, numberAt, stringAt } from '../json.ts';
import type { ServerContext } from '../server-context.ts';
import { conflict, forbidden, notFound } from '../status-error.ts';
import type { Target, Write } from './common.ts';
import type { DeleteOptions } from './delete-options.ts';

/** Resources whose delete answers with the object rather than a Status. */
const RETURN_OBJECT = new Set(['pods', 'services', 'serviceaccounts', 'persistentvolumeclaims']);

/** Namespaces that the admission plug-in NamespaceLifecycle protects. */
const IMMORTAL = new Set(['default', 'kube-system', 'kube-public']);
const GC_FINALIZERS = ['orphan', 'foregroundDeletion'];

/**
 * Deletes, or marks for deletion when finalizers, a grace period or a namespace's contents come first.
 * Returns the answer's body. Throws NotFound, Conflict (preconditions).
 */
export function deleteObject(write: Write, options: DeleteOptions): JsonObject {
  const { server, resource, namespace, name, request } = write;
  const live = server.store.get(resource.collection, namespace, name);
  if (!live) throw notFound(resource, name);
  if (resource.collection === 'namespaces' && IMMORTAL.has(name))
    throw forbidden(resource, name, 'this namespace may not be deleted');
  checkPreconditions(write, live, options);
  const extra = resource.behaviour.deletionFinalizers?.(live, server.store) ?? [];
  const finalizers = [...new Set([...finalizersFor(live, options.propagationPolicy), ...extra])];
  const grace = gracePeriod(live, options);
  const stays = finalizers.length > 0 || grace > 0 || isOpenNamespace(live);
  if (!stays) {
    if (request.dryRun) return answer(write, live);
    const last = server.store.remove(resource.collection, live);
    resource.behaviour.deleted?.(last);
    return answer(write, last);
  }
  const marked = mark(server, live, finalizers, grace);
  if (marked === undefined) return resource.fromStored(live);
  resource.behaviour.terminating?.(marked, live, server.now());
  if (request.dryRun) return resource.fromStored(marked);
  return resource.fromStored(server.store.put(resource.collection, marked));
}

function checkPreconditions(target: Target, live: ApiObject, options: DeleteOptions): void {
  const { metadata } = live;
  const subject = { group: target.resource.group, plural: target.resource.kind, kind: target.resource.kind };
  if (options.uid !== undefined && options.uid !== metadata.uid) {
    throw conflict(
      subject,
      metadata.name,
      `the UID in the precondition (${options.uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
    );
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== metadata.resourceVersion) {
    throw conflict(
      subject,
      metadata.name,
      `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
    );
  }
}

function finalizersFor(live: ApiObject, policy: string | undefined): string[] {
  const current = live.metadata.finalizers ?? [];
  if (policy === undefined) return current;
  const rest = current.filter((finalizer) => !GC_FINALIZERS.includes(finalizer));
  if (policy === 'Orphan') return [...rest, 'orphan'];
  return policy === 'Foreground' ? [...rest, 'foregroundDeletion'] : rest;
}

function gracePeriod(live: ApiObject, options: DeleteOptions): number {
  if (live.kind !== 'Pod') return 0;
  const spec = isObject(live.spec) ? live.spec : {};
  const phase = stringAt(live, 'status', 'phase');
  if (stringAt(spec, 'nodeName') === '' || phase === 'Succeeded' || phase === 'Failed') return 0;
  const asked = options.gracePeriodSeconds ?? numberAt(spec, 'terminationGracePeriodSeconds') ?? 30;
  return asked < 0 ? 1 : asked;
}

function isOpenNamespace(live: ApiObject): boolean {
  const spec = isObject(live.spec) ? live.spec : {};
  return live.kind === 'Namespace' && Array.isArray(spec.finalizers) && spec.finalizers.length > 0;
}

/** The object marked for deletion; undefined when it is already marked so. */
function mark(
  server: ServerContext,
  live: ApiObject,
  finalizers: string[],
  grace: number,
): ApiObject | undefined {
  const { metadata } = live;
  const sameFinalizers = JSON.stringify(finalizers) === JSON.stringify(metadata.finalizers ?? []);
  const before = metadata.deletionGracePeriodSeconds;
  if (metadata.deletionTimestamp && sameFinalizers && (before === undefined || before <= grace))
    return undefined;
  const out: ApiObject = { ...live, metadata: { ...metadata } };
  if (finalizers.length > 0) out.metadata.finalizers = finalizers;
  else delete out.metadata.finalizers;
  if (!metadata.deletionTimestamp || (before ?? 0) > grace) {
    out.metadata.deletionTimestamp = timestamp(new Date(server.now().getTime() + grace * 1000));
    if (live.kind !== 'Namespace') out.metadata.deletionGracePeriodSeconds = grace;
    if (!metadata.deletionTimestamp && metadata.generation) out.metadata.generation = metadata.generation + 1;
  }
  if (live.kind === 'Namespace')
    out.status = { ...(isObject(live.status) ? live.status : {}), phase: 'Terminating' };
  return out;
}

function answer(target: Target, object: ApiObject): JsonObject {
  const { resource } = target;
  if (RETURN_OBJECT.has(resource.collection)) return resource.fromStored(object);
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: object.metadata.name,
      ...(resource.group === '' ? {} : { group: resource.group }),
      kind: resource.plural,
      uid: object.metadata.uid ?? '',
    },
  };
}
