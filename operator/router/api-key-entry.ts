/** Parses one entry of a ConfigMap with API keys. The text is untrusted YAML or JSON. */
import { JSON_SCHEMA, load, YAMLException } from 'js-yaml';
import { z } from 'zod';
import type { SpecIssue } from '../values/spec-issue.ts';
import type { RouteKey } from './route-table.ts';

/** An entry with a hash, a tenant, limits and thirty models has about 1,000 characters. */
export const MAX_ENTRY_LENGTH = 2_048;

/** Highest limit of requests or tokens per minute. */
export const MAX_LIMIT = 1_000_000_000;

const MAX_TENANT_LENGTH = 127;
const TENANT = /^[-a-z0-9]+(\/[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?)?$/;

const limit = z.int().min(1).max(MAX_LIMIT);

/** Schema of an entry. */
const apiKeyEntry = z.strictObject({
  sha256: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/, 'must be the SHA-256 of the key, 64 hexadecimal digits')
    .transform((hash) => hash.toLowerCase()),
  tenant: z
    .string()
    .max(MAX_TENANT_LENGTH)
    .regex(TENANT, 'must be <namespace> or <namespace>/<name>')
    .optional(),
  models: z.array(z.string().min(1).max(253)).min(1).max(256).optional(),
  requestsPerMinute: limit.optional(),
  tokensPerMinute: limit.optional(),
});

const REMEDY = 'use the output of `vllm-operator key create`';

/** Whether a key can have this tenant. */
export function isTenant(text: string): boolean {
  return text.length <= MAX_TENANT_LENGTH && TENANT.test(text);
}

/** Parses the entry `data[name]` of a ConfigMap in `namespace`. Issues do not contain the text, because it might be a key. */
export function parseApiKeyEntry(text: string, namespace: string, name: string): RouteKey | SpecIssue {
  const field = `data[${name}]`;
  const issue = (at: string, reason: string): SpecIssue => ({
    field: at,
    value: undefined,
    reason,
    remedy: REMEDY,
  });
  if (text.length > MAX_ENTRY_LENGTH) return issue(field, `longer than ${MAX_ENTRY_LENGTH} characters`);
  if (text.trimStart().startsWith('vk-')) {
    return {
      ...issue(field, 'contains a key in plain text, which everyone who can read the ConfigMap now knows'),
      remedy: 'create another key with `vllm-operator key create` and store its hash',
    };
  }
  const written = readYaml(text);
  if (written === undefined) return issue(field, 'not YAML or JSON');
  const result = apiKeyEntry.safeParse(written);
  if (!result.success) {
    const [first] = result.error.issues;
    const path = first?.path.map(String).join('.') ?? '';
    // Names of unknown fields are user input, too, and might be the key.
    const reason =
      first?.code === 'unrecognized_keys' ? 'has an unknown field' : (first?.message ?? 'not an API key');
    return issue(path === '' ? field : `${field}.${path}`, reason);
  }
  const { tenant = namespace, sha256, ...limits } = result.data;
  if (tenant !== namespace && !tenant.startsWith(`${namespace}/`)) {
    return {
      field: `${field}.tenant`,
      value: tenant,
      reason: `a key of namespace ${namespace} cannot act for another tenant`,
      remedy: `omit tenant, or set it to ${namespace}/<name>`,
    };
  }
  return { sha256, tenant, ...definedOnly(limits) };
}

/**
 * Parses the text; undefined if it is not YAML. Uses js-yaml, because yaml can take milliseconds for a few hundred crafted
 * characters.
 */
function readYaml(text: string): unknown {
  try {
    return load(text, { schema: JSON_SCHEMA, maxDepth: 8 }) ?? null;
  } catch (error) {
    if (error instanceof YAMLException) return undefined;
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
