/**
 * API keys in ConfigMaps with the label API_KEYS_LABEL. Each data entry is one key in YAML or JSON, such as `{sha256:
 * <hash>, tenant: team-a/ci, models: [llama], requestsPerMinute: 60}`. Only hashes are stored in the cluster.
 */
import { createHash } from 'node:crypto';
import type { KubeObject } from '../kube/object.ts';
import { randomBytes } from '../pki/certificates.ts';
import type { SpecIssue } from '../values/spec-issue.ts';
import { parseApiKeyEntry } from './api-key-entry.ts';
import type { RouteKey } from './route-table.ts';

/** Label (value `true`) of ConfigMaps with API keys. */
export const API_KEYS_LABEL = 'vllm-operator.dev/api-keys';

export interface ApiKeyConfigMap extends KubeObject {
  data?: Record<string, string>;
  /** Set by ApiKeyRoom: the namespace had no room for it, and its data was dropped. */
  oversized?: true;
}

/** Parses an entry to a key, or to what is wrong with it. */
type ReadEntry = (configMap: ApiKeyConfigMap, entry: string, text: string) => RouteKey | SpecIssue;

/** A problem of one entry. It does not contain the text, because users sometimes paste keys instead of hashes. */
export interface ApiKeyIssue extends SpecIssue {
  namespace: string;
  configMap: string;
  /** Name of the data entry. */
  entry: string;
}

export const MAX_KEYS_PER_NAMESPACE = 1000;
/** Enough for this many keys with limits, or for some hundred with lists of models. */
export const MAX_BYTES_PER_NAMESPACE = 262_144;

interface Claim {
  key: RouteKey;
  namespace: string;
  configMap: string;
  entry: string;
}

/**
 * The keys of all ConfigMaps, sorted by hash, and the issues of invalid ones. Pass only ConfigMaps of namespaces that the
 * pool allows, because anyone who can write one there can use the pool. A hash is not secret, so another team can claim it
 * to receive the requests and cache entries of its owner. So a hash that a namespace holds according to `holders` stays
 * there, and a hash that two namespaces claim and none holds is rejected for both.
 */
export function parseApiKeys(
  configMaps: readonly ApiKeyConfigMap[],
  holders: ReadonlyMap<string, string> = new Map(),
  read: ReadEntry = readEntry,
): { keys: RouteKey[]; issues: ApiKeyIssue[] } {
  const issues: ApiKeyIssue[] = [];
  const claims = new Map<string, Claim[]>();
  const room = new Map<string, { keys: number; bytes: number }>();
  /** ConfigMaps beyond the limit are reported once and not parsed. */
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
    if (oversized && !full.has(namespace)) issues.push({ ...NO_ROOM, namespace, configMap, entry: '' });
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

/** A new key of 256 random bits and its hash. With this much entropy no salt or slow hash is needed. */
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
  reason: `a namespace may have at most ${MAX_KEYS_PER_NAMESPACE} keys in ${MAX_BYTES_PER_NAMESPACE / 1024} KiB`,
  remedy: 'remove unused keys',
};

const NO_ROOM: SpecIssue = {
  ...TOO_MANY,
  remedy: 'remove unused keys, and then change this ConfigMap, for example with an annotation',
};

const DUPLICATE: SpecIssue = {
  field: 'sha256',
  value: undefined,
  reason: 'another entry has the same key',
  remedy: 'create another key with `vllm-operator key create`',
};

function readEntry({ metadata }: ApiKeyConfigMap, entry: string, text: string): RouteKey | SpecIssue {
  return parseApiKeyEntry(text, metadata.namespace ?? '', entry);
}

/** Caches parsed entries while their ConfigMap is the same object. */
export function cachedEntryReader(): ReadEntry {
  const remembered = new WeakMap<ApiKeyConfigMap, Map<string, RouteKey | SpecIssue>>();
  return (configMap, entry, text) => {
    const entries = remembered.get(configMap) ?? new Map<string, RouteKey | SpecIssue>();
    remembered.set(configMap, entries);
    const parsed = entries.get(entry) ?? readEntry(configMap, entry, text);
    entries.set(entry, parsed);
    return parsed;
  };
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

/** The valid claim: the first of the namespace that holds the hash, or of the only namespace that claims a free one. */
function rightfulClaim(claims: readonly Claim[], holder: string | undefined): Claim | undefined {
  if (holder !== undefined) return claims.find(({ namespace }) => namespace === holder);
  return claims.every(({ namespace }) => namespace === claims[0]?.namespace) ? claims[0] : undefined;
}
