/**
 * API keys as teams keep them: ConfigMaps with the label API_KEYS_LABEL, one data entry per key, holding YAML or JSON such
 * as `{sha256: <hash>, tenant: team-a/ci, models: [llama], requestsPerMinute: 60}`. Only hashes ever reach the cluster.
 */
import { createHash } from 'node:crypto';
import type { KubeObject } from '../kube/object.ts';
import { randomBytes } from '../pki/certificates.ts';
import type { SpecIssue } from '../values/spec-issue.ts';
import { parseApiKeyEntry } from './api-key-entry.ts';
import type { RouteKey } from './route-table.ts';

/** Label (value `true`) of the ConfigMaps that hold API keys. */
export const API_KEYS_LABEL = 'vllm-operator.dev/api-keys';

export interface ApiKeyConfigMap extends KubeObject {
  data?: Record<string, string>;
  /** Set when the object enters the store: it held more than a namespace may have, and was dropped. */
  oversized?: true;
}

/** What is wrong with an entry, or the key that it stands for. */
type ReadEntry = (configMap: ApiKeyConfigMap, entry: string, text: string) => RouteKey | SpecIssue;

/** What is wrong with one entry. Never holds the entry's text: people paste keys where hashes belong. */
export interface ApiKeyIssue extends SpecIssue {
  namespace: string;
  configMap: string;
  /** Name of the data entry. */
  entry: string;
}

export const MAX_KEYS_PER_NAMESPACE = 1000;
/** Room for that many keys with limits, or some hundred with lists of models. */
export const MAX_BYTES_PER_NAMESPACE = 262_144;

interface Claim {
  key: RouteKey;
  namespace: string;
  configMap: string;
  entry: string;
}

/**
 * Keys of all ConfigMaps, sorted by hash, and what is wrong with the rest. Pass only ConfigMaps of namespaces that the
 * pool admits: whoever may write one there can use the pool.
 *
 * A hash is public, so another team can claim it too, to have the requests of its owner counted and cached as theirs.
 * `holders` has the namespace of each hash that is held, which nobody else gets; a hash that two namespaces claim and
 * nobody holds is refused to both.
 */
export function parseApiKeys(
  configMaps: readonly ApiKeyConfigMap[],
  holders: ReadonlyMap<string, string> = new Map(),
  read: ReadEntry = readEntry,
): { keys: RouteKey[]; issues: ApiKeyIssue[] } {
  const issues: ApiKeyIssue[] = [];
  const claims = new Map<string, Claim[]>();
  const room = new Map<string, { keys: number; bytes: number }>();
  /** What is beyond the limit is told once, and not looked at. */
  const full = new Set<string>();
  for (const { source, entry, text } of entries(configMaps, full)) {
    const { namespace = '', name: configMap } = source.metadata;
    const place = { namespace, configMap, entry };
    const left = room.get(namespace) ?? { keys: MAX_KEYS_PER_NAMESPACE, bytes: MAX_BYTES_PER_NAMESPACE };
    room.set(namespace, left);
    left.keys -= 1;
    left.bytes -= Buffer.byteLength(text);
    if (left.keys < 0 || left.bytes < 0) full.add(namespace);
    const parsed = full.has(namespace) ? TOO_MANY : read(source, entry, text);
    if ('reason' in parsed) {
      issues.push({ ...parsed, ...place });
      continue;
    }
    const claimed = claims.get(parsed.sha256);
    if (claimed) claimed.push({ key: parsed, ...place });
    else claims.set(parsed.sha256, [{ key: parsed, ...place }]);
  }
  for (const { metadata, oversized } of configMaps) {
    const { namespace = '', name: configMap } = metadata;
    if (oversized && !full.has(namespace)) issues.push({ ...TOO_MANY, namespace, configMap, entry: '' });
  }
  const keys: RouteKey[] = [];
  for (const [sha256, claimed] of claims) {
    const winner = rightfulClaim(claimed, holders.get(sha256));
    if (winner) keys.push(winner.key);
    for (const { key: _, ...place } of claimed) {
      if (
        place.entry !== winner?.entry ||
        place.configMap !== winner.configMap ||
        place.namespace !== winner.namespace
      ) {
        issues.push({ ...DUPLICATE, ...place });
      }
    }
  }
  return { keys: keys.sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1)), issues };
}

/** A new key of 256 random bits and its hash. So much entropy needs no salt and no slow hash. */
export function createKey(random: (bytes: number) => Uint8Array = randomBytes): {
  key: string;
  sha256: string;
} {
  const key = `vk-${Buffer.from(random(32)).toString('base64url')}`;
  return { key, sha256: createHash('sha256').update(key).digest('hex') };
}

const TOO_MANY: SpecIssue = {
  field: 'data',
  value: undefined,
  reason: `a namespace may have ${MAX_KEYS_PER_NAMESPACE} keys in ${MAX_BYTES_PER_NAMESPACE / 1024} KiB`,
  remedy: 'remove keys that nobody uses',
};

const DUPLICATE: SpecIssue = {
  field: 'sha256',
  value: undefined,
  reason: 'another entry has the same key',
  remedy: 'make a key of its own with `vllm-operator key create`',
};

function readEntry({ metadata }: ApiKeyConfigMap, entry: string, text: string): RouteKey | SpecIssue {
  return parseApiKeyEntry(text, metadata.namespace ?? '', entry);
}

/** Reads each entry once for as long as its ConfigMap is the same object. */
export function rememberingRead(): ReadEntry {
  const remembered = new WeakMap<ApiKeyConfigMap, Map<string, RouteKey | SpecIssue>>();
  return (configMap, entry, text) => {
    const entries = remembered.get(configMap) ?? new Map<string, RouteKey | SpecIssue>();
    remembered.set(configMap, entries);
    const parsed = entries.get(entry) ?? readEntry(configMap, entry, text);
    entries.set(entry, parsed);
    return parsed;
  };
}

/** What is worth keeping of a ConfigMap: a team may fill it with a megabyte, and make thousands. */
export function keepApiKeys(configMap: ApiKeyConfigMap): ApiKeyConfigMap {
  const { apiVersion, kind, data = {} } = configMap;
  const {
    annotations: _,
    labels: __,
    managedFields: ___,
    finalizers: ____,
    ...metadata
  } = configMap.metadata;
  const bytes = Object.values(data).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const isTooLarge = bytes > MAX_BYTES_PER_NAMESPACE;
  return { apiVersion, kind, metadata, ...(isTooLarge ? { oversized: true } : { data }) };
}

function* entries(configMaps: readonly ApiKeyConfigMap[], full: ReadonlySet<string>) {
  const name = (configMap: ApiKeyConfigMap) => `${configMap.metadata.namespace}/${configMap.metadata.name}`;
  for (const source of [...configMaps].sort((a, b) => (name(a) < name(b) ? -1 : 1))) {
    const { namespace = '' } = source.metadata;
    if (full.has(namespace)) continue;
    for (const [entry, text] of Object.entries(source.data ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
      yield { source, entry, text };
      if (full.has(namespace)) break;
    }
  }
}

/** The first claim of the namespace that is entitled: the one that holds the hash, or the only one that claims what nobody holds. */
function rightfulClaim(claims: readonly Claim[], holder: string | undefined): Claim | undefined {
  if (holder !== undefined) return claims.find(({ namespace }) => namespace === holder);
  return claims.every(({ namespace }) => namespace === claims[0]?.namespace) ? claims[0] : undefined;
}
