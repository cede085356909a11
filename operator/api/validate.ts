/** Validates a manifest like the API server, but without one. */
import { z } from 'zod';
import type { RuleIssueParams } from '../values/rule.ts';
import { valueAt } from '../values/value-at.ts';
import { API_VERSION } from './common.ts';
import { MAX_NAME_LENGTH, MODEL_NAME_PATTERN, POOL_NAME_PATTERN } from './crd.ts';
import { inferenceModelSpec } from './inference-model.ts';
import { inferencePoolSpec } from './inference-pool.ts';
import { refusedPodField } from './pod-fields.ts';
import { structuralSchema } from './structural-schema.ts';
import { type StructureIssue, structureIssues } from './structure-issues.ts';

/** A problem of a manifest: path, value, reason and remedy. */
export type ManifestIssue = StructureIssue;

const manifest = (namePattern: RegExp, begin: string, spec: z.ZodType) => {
  const remedy = `use lower-case letters, digits and hyphens; ${begin} and end with a letter or digit`;
  const name = z.string().min(1).max(MAX_NAME_LENGTH).regex(namePattern, remedy);
  return z.object({ metadata: z.object({ name, namespace: z.string().nullish() }), spec });
};

const KINDS = {
  InferencePool: {
    manifest: manifest(POOL_NAME_PATTERN, 'begin with a letter', inferencePoolSpec),
    spec: inferencePoolSpec,
  },
  InferenceModel: {
    manifest: manifest(MODEL_NAME_PATTERN, 'begin', inferenceModelSpec),
    spec: inferenceModelSpec,
  },
};

const TYPE_NAMES: Partial<Record<string, string>> = {
  int: 'an integer',
  number: 'a number',
  string: 'a string, in quotes if it looks like something else',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

/** Whether an object is an InferencePool or InferenceModel in a known version. */
export function isOurs(object: unknown): object is { kind: keyof typeof KINDS } {
  const { apiVersion, kind } = Object(object) as { apiVersion?: unknown; kind?: unknown };
  return apiVersion === API_VERSION && typeof kind === 'string' && Object.hasOwn(KINDS, kind);
}

/**
 * Validates an InferencePool or InferenceModel: types, bounds, cross-field rules and unknown fields. Empty if the API
 * server would accept it. Throws TypeError for another kind (see `isOurs`).
 */
export function validateManifest(object: unknown): ManifestIssue[] {
  if (!isOurs(object)) throw new TypeError(`not an InferencePool or InferenceModel of ${API_VERSION}`);
  const kind = KINDS[object.kind];
  const structure = structureIssues(structuralSchema(kind.spec), Object(object).spec, 'spec').map(
    (issue) => ({
      ...issue,
      ...(object.kind === 'InferenceModel' ? refusedPodField(issue.field) : {}),
    }),
  );
  const parsed = kind.manifest.safeParse(object);
  return [...(parsed.error?.issues ?? []).map((issue) => manifestIssue(issue, object)), ...structure];
}

/** What a schema has against an object, as path, value, reason and remedy. */
export function manifestIssue(issue: z.core.$ZodIssue, object: unknown): ManifestIssue {
  const field = issue.path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
  const value = valueAt(object, issue.path);
  if (issue.code === 'custom' && issue.params) {
    const { problem, remedy } = issue.params as unknown as RuleIssueParams;
    return { field, value, reason: problem, remedy };
  }
  if (value === undefined) return { field, value, reason: 'it is required', remedy: 'set it' };
  return { field, value, reason: reasonOf(issue), remedy: remedyOf(issue) };
}

function remedyOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `write ${TYPE_NAMES[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `use one of ${issue.values.map(String).join(', ')}`;
    case 'too_big':
      return `at most ${amount(issue.maximum, issue.origin)}`;
    case 'too_small':
      return `at least ${amount(issue.minimum, issue.origin)}`;
    case 'invalid_format':
      return issue.message.startsWith('Invalid') ? 'write it in that form' : issue.message;
    default:
      return 'see the field reference';
  }
}

function reasonOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_value':
      return 'not one of its values';
    case 'too_big':
      return issue.origin === 'string' ? 'too long' : 'too large';
    case 'too_small':
      return issue.origin === 'string' ? 'too short' : 'too small';
    case 'invalid_format':
      return `does not match ${issue.pattern?.replace(/^\/|\/$/g, '') ?? issue.format}`;
    default: {
      const message = issue.message.replace(/^Invalid input: /, '');
      return message.charAt(0).toLowerCase() + message.slice(1);
    }
  }
}

function amount(count: number | bigint, origin: string): string {
  const unit = { string: ' character', array: ' item' }[origin];
  return unit === undefined ? `${count}` : `${count}${unit}${count === 1 ? '' : 's'}`;
}
