/**
 * API keys as teams keep them: ConfigMaps with the label API_KEYS_LABEL, one data entry per key, holding YAML or JSON such
 * as `{sha256: <hash>, tenant: team-a/ci, models: [llama], requestsPerMinute: 60}`. Only hashes ever reach the cluster.
 */
import { createHash } from 'node:crypto';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import type { SpecIssue } from '../engine/spec-issue.ts';
import type { KubeObject } from '../kube/object.ts';
import { randomBytes } from './certificates.ts';
import type { RouteKey } from './route-table.ts';

/** Label (value `true`) of the ConfigMaps that hold API keys. */
export const API_KEYS_LABEL = 'vllm-operator.dev/api-keys';

export interface ApiKeyConfigMap extends KubeObject {
  data?: Record<string, string>;
}

/** What is wrong with one entry. Never holds the entry's text: people paste keys where hashes belong. */
export interface ApiKeyIssue extends SpecIssue {
  namespace: string;
  configMap: string;
  /** Name of the data entry. */
  entry: string;
}

/** No honest entry is longer; a limit keeps one team from filling every router's memory. */
const MAX_ENTRY_LENGTH = 16_384;
export const MAX_KEYS_PER_NAMESPACE = 1000;

const limit = z.int().min(1).max(1_000_000_000);

/** One entry, as written in the ConfigMap. */
const apiKeyEntry = z.strictObject({
  sha256: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/, 'must be the SHA-256 of the key, 64 hexadecimal digits')
    .transform((hash) => hash.toLowerCase()),
  tenant: z
    .string()
    .max(127)
    .regex(
      /^[-a-z0-9]+(\/[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?)?$/,
      'must be <namespace> or <namespace>/<name>',
    )
    .optional(),
  models: z.array(z.string().min(1).max(253)).min(1).max(256).optional(),
  requestsPerMinute: limit.optional(),
  tokensPerMinute: limit.optional(),
});

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
 * `holders` tells whose a hash was before; a hash that two namespaces claim and nobody held is refused to both.
 */
export function parseApiKeys(
  configMaps: readonly ApiKeyConfigMap[],
  holders: ReadonlyMap<string, string> = new Map(),
): { keys: RouteKey[]; issues: ApiKeyIssue[] } {
  const issues: ApiKeyIssue[] = [];
  const claims = new Map<string, Claim[]>();
  const counts = new Map<string, number>();
  for (const { namespace, configMap, entry, text } of entries(configMaps)) {
    const place = { namespace, configMap, entry };
    const count = (counts.get(namespace) ?? 0) + 1;
    counts.set(namespace, count);
    const parsed: RouteKey | SpecIssue =
      count > MAX_KEYS_PER_NAMESPACE ? TOO_MANY : parseEntry(text, namespace, entry);
    if ('reason' in parsed) issues.push({ ...parsed, ...place });
    else claims.set(parsed.sha256, [...(claims.get(parsed.sha256) ?? []), { key: parsed, ...place }]);
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

/** Namespace by hash of the keys of an earlier table, for `parseApiKeys`. */
export function keyHolders(keys: readonly RouteKey[]): Map<string, string> {
  return new Map(keys.map(({ sha256, tenant }) => [sha256, tenant.split('/', 1)[0] ?? tenant]));
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
  reason: `a namespace may have ${MAX_KEYS_PER_NAMESPACE} keys`,
  remedy: 'remove keys that nobody uses',
};

const DUPLICATE: SpecIssue = {
  field: 'sha256',
  value: undefined,
  reason: 'another entry has the same key',
  remedy: 'make a key of its own with `vllm-operator key create`',
};

function* entries(configMaps: readonly ApiKeyConfigMap[]) {
  const name = (configMap: ApiKeyConfigMap) => `${configMap.metadata.namespace}/${configMap.metadata.name}`;
  for (const configMap of [...configMaps].sort((a, b) => (name(a) < name(b) ? -1 : 1))) {
    for (const [entry, text] of Object.entries(configMap.data ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
      yield {
        namespace: configMap.metadata.namespace ?? '',
        configMap: configMap.metadata.name,
        entry,
        text,
      };
    }
  }
}

/** The first claim of the namespace that is entitled: the only one, or the one that held the hash before. */
function rightfulClaim(claims: readonly Claim[], holder: string | undefined): Claim | undefined {
  const namespaces = new Set(claims.map(({ namespace }) => namespace));
  return namespaces.size === 1 ? claims[0] : claims.find(({ namespace }) => namespace === holder);
}

function parseEntry(text: string, namespace: string, entry: string): RouteKey | SpecIssue {
  const field = `data[${entry}]`;
  const remedy = 'write what `vllm-operator key create` prints';
  if (text.length > MAX_ENTRY_LENGTH) {
    return { field, value: undefined, reason: `longer than ${MAX_ENTRY_LENGTH} characters`, remedy };
  }
  if (text.trimStart().startsWith('vk-')) {
    return {
      field,
      value: undefined,
      reason: 'holds a key in the clear, which everyone who can read the ConfigMap now knows',
      remedy: 'make another key with `vllm-operator key create` and store its hash',
    };
  }
  const document = parseDocument(text, { logLevel: 'error', prettyErrors: false });
  const [syntaxError] = document.errors;
  if (syntaxError)
    return { field, value: undefined, reason: `not YAML or JSON (${syntaxError.code})`, remedy };
  const result = apiKeyEntry.safeParse(withoutAliases(document));
  if (!result.success) {
    const [issue] = result.error.issues;
    const path = issue?.path.map(String).join('.') ?? '';
    return {
      field: path === '' ? field : `${field}.${path}`,
      value: undefined,
      // Names of unknown fields are the user's text, and might be the key.
      reason:
        issue?.code === 'unrecognized_keys' ? 'has an unknown field' : (issue?.message ?? 'not an API key'),
      remedy,
    };
  }
  const { tenant = namespace, sha256, ...limits } = result.data;
  if (tenant !== namespace && !tenant.startsWith(`${namespace}/`)) {
    return {
      field: `${field}.tenant`,
      value: tenant,
      reason: `a key of namespace ${namespace} cannot act for another tenant`,
      remedy: `leave tenant out, or set it to ${namespace}/<name>`,
    };
  }
  return { sha256, tenant, ...definedOnly(limits) };
}

/** Plain data, or undefined when the document uses aliases, by which a few bytes can stand for gigabytes. */
function withoutAliases(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    if (error instanceof ReferenceError) return undefined;
    throw error;
  }
}

function definedOnly(limits: {
  models?: string[] | undefined;
  requestsPerMinute?: number | undefined;
  tokensPerMinute?: number | undefined;
}): Pick<RouteKey, 'models' | 'requestsPerMinute' | 'tokensPerMinute'> {
  return {
    ...(limits.models === undefined ? {} : { models: limits.models }),
    ...(limits.requestsPerMinute === undefined ? {} : { requestsPerMinute: limits.requestsPerMinute }),
    ...(limits.tokensPerMinute === undefined ? {} : { tokensPerMinute: limits.tokensPerMinute }),
  };
}
