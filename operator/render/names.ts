/**
 * Names of the operator's objects. Each is a DNS label, so that a Service can have it, and depends only on the owner's
 * name.
 */
import { createHash } from 'node:crypto';
import type { KubeObject, ObjectKey } from '../kube/object.ts';

const MAX_LENGTH = 63;
const HASH_LENGTH = 8;
/** Longest name of an object that need not be a DNS label. */
const MAX_SUBDOMAIN = 253;

/** The first eight hex digits of the SHA-256 of a text. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, HASH_LENGTH);
}

/** Truncates a text and appends a hash of the original, so that different texts stay different. */
function cut(text: string, original: string, length: number): string {
  let kept = text.slice(0, length - HASH_LENGTH - 1);
  while (/[-._]$/.test(kept)) kept = kept.slice(0, -1);
  return `${kept}-${shortHash(original)}`;
}

/** A DNS label that starts with a letter, as Services need. A name that has to be changed for that ends in a hash. */
function dnsLabel(name: string, maxLength = MAX_LENGTH): string {
  const label = name.replaceAll('.', '-').replace(/^(?=[0-9])/, 'x-');
  return label === name && name.length <= maxLength ? name : cut(label, name, maxLength);
}

/** Name of a model's Deployment, Service, ServiceAccount, PodDisruptionBudget and NetworkPolicy. */
export function engineName(model: string): string {
  return dnsLabel(`vllm-${model}`);
}

/** Key of a model's Deployment, Service and HPA. */
export function engineKeyOf({ metadata: { namespace = '', name } }: KubeObject): ObjectKey {
  return { namespace, name: engineName(name) };
}

/** Name of the PersistentVolumeClaim with a model's weights. */
export function modelCacheName(model: string): string {
  return dnsLabel(`vllm-${model}-cache`);
}

/** Name of the Deployment, Service, ServiceAccount, PodDisruptionBudget, NetworkPolicy and Ingress of a pool's routers. */
export function routerName(pool: string): string {
  return dnsLabel(`${pool}-router`);
}

/** Name of the Deployment, Service, ServiceAccount and NetworkPolicy of a pool's Redis. */
export function redisName(pool: string): string {
  return dnsLabel(`${pool}-redis`);
}

/** Name of the ConfigMap with the route snapshot, for routers that start while the operator is down. */
export function routeSnapshotName(pool: string): string {
  return dnsLabel(`${pool}-routes`);
}

/**
 * Name of the ConfigMap with the grants of one namespace in a pool. Unique, because a namespace contains no dot. Long pool
 * names end in a hash.
 */
export function grantsName(pool: string, namespace: string): string {
  return recordName('grants', pool, namespace);
}

/** Name of the ConfigMap with the usage of one namespace in a pool; see `grantsName`. */
export function usageName(pool: string, namespace: string): string {
  return recordName('usage', pool, namespace);
}

/** Name of the ConfigMap with the earlier usage of one namespace in a pool; see `grantsName`. */
export function usageArchiveName(pool: string, namespace: string): string {
  return recordName('usage-archive', pool, namespace);
}

function recordName(kind: string, pool: string, namespace: string): string {
  const prefix = `${kind}.${namespace}.`;
  return `${prefix}${pool.length <= MAX_SUBDOMAIN - prefix.length ? pool : cut(pool, pool, MAX_SUBDOMAIN - prefix.length)}`;
}

/** Name of an immutable ConfigMap. It contains a hash of the content, so new content is a new object. */
export function configMapName(base: string, data: Readonly<Record<string, string>>): string {
  const content = JSON.stringify(Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${dnsLabel(base, MAX_LENGTH - HASH_LENGTH - 1)}-${shortHash(content)}`;
}

/** A label value for a name that may be too long for one. */
export function labelValue(name: string): string {
  return name.length <= MAX_LENGTH ? name : cut(name, name, MAX_LENGTH);
}
