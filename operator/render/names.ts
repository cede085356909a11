/** Names of what the operator makes. Each fits a DNS label, so that it may name a Service, and follows from the owner's name alone. */
import { createHash } from 'node:crypto';
import type { KubeObject, ObjectKey } from '../kube/object.ts';

const MAX_LENGTH = 63;
const HASH_LENGTH = 8;
/** Longest name of an object that is not a DNS label. */
const MAX_SUBDOMAIN = 253;

/** First eight hex digits of the SHA-256 of a text. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, HASH_LENGTH);
}

/** Cuts a text to a length and ends it in a hash of the whole, so that different texts stay different. */
function cut(text: string, original: string, length: number): string {
  let kept = text.slice(0, length - HASH_LENGTH - 1);
  while (/[-._]$/.test(kept)) kept = kept.slice(0, -1);
  return `${kept}-${shortHash(original)}`;
}

/** A DNS label that starts with a letter, as Services need. A name that has to change for that ends in a hash. */
function dnsLabel(name: string, maxLength = MAX_LENGTH): string {
  const label = name.replaceAll('.', '-').replace(/^(?=[0-9])/, 'x-');
  return label === name && name.length <= maxLength ? name : cut(label, name, maxLength);
}

/** Deployment, Service, ServiceAccount, PodDisruptionBudget and NetworkPolicy of a model. */
export function engineName(model: string): string {
  return dnsLabel(`vllm-${model}`);
}

/** The key that Deployment, Service, HPA and the like of a model share. */
export function engineKeyOf({ metadata: { namespace = '', name } }: KubeObject): ObjectKey {
  return { namespace, name: engineName(name) };
}

/** The PersistentVolumeClaim that keeps a model's weights. */
export function modelCacheName(model: string): string {
  return dnsLabel(`vllm-${model}-cache`);
}

/** Deployment, Service, ServiceAccount, PodDisruptionBudget, NetworkPolicy and Ingress of a pool's routers. */
export function routerName(pool: string): string {
  return dnsLabel(`${pool}-router`);
}

/** Deployment, Service, ServiceAccount and NetworkPolicy of a pool's Redis. */
export function redisName(pool: string): string {
  return dnsLabel(`${pool}-redis`);
}

/** The ConfigMap with the route table without secrets, for routers that start while the operator is down. */
export function routeSnapshotName(pool: string): string {
  return dnsLabel(`${pool}-routes`);
}

/**
 * The ConfigMap with what one namespace holds in a pool. A namespace has no dot, so no two pools and
 * namespaces share one. Long names of pools end in a hash.
 */
export function grantsName(pool: string, namespace: string): string {
  const prefix = `grants.${namespace}.`;
  return `${prefix}${pool.length <= MAX_SUBDOMAIN - prefix.length ? pool : cut(pool, pool, MAX_SUBDOMAIN - prefix.length)}`;
}

/** Name of an immutable ConfigMap: its content's hash makes new content a new object. */
export function configMapName(base: string, data: Readonly<Record<string, string>>): string {
  const content = JSON.stringify(Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${dnsLabel(base, MAX_LENGTH - HASH_LENGTH - 1)}-${shortHash(content)}`;
}

/** The value of a label for a name that may be longer than label values are. */
export function labelValue(name: string): string {
  return name.length <= MAX_LENGTH ? name : cut(name, name, MAX_LENGTH);
}
