/** Reads pools and models from YAML files, validated and defaulted like the API server. */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { API_VERSION, GROUP } from '../api/common.ts';
import { inferenceModelSpec } from '../api/inference-model.ts';
import { inferencePoolSpec } from '../api/inference-pool.ts';
import type { InferenceModel, InferencePool } from '../api/types.ts';
import { isOurs, validateManifest } from '../api/validate.ts';
import type { KubeObject, ObjectMeta } from '../kube/object.ts';
import { describeIssue } from '../values/spec-issue.ts';

/** Content of the files. `problems` are lines for users, each with its file. */
export interface ManifestFiles {
  pools: InferencePool[];
  models: InferenceModel[];
  /** Labels of the namespaces in the files. */
  namespaces: Map<string, Record<string, string>>;
  /** Access modes of the PersistentVolumeClaims in the files, by `namespace/name`. */
  claims: Map<string, string[]>;
  problems: string[];
}

/** `namespace/name`. Like kubectl, uses the namespace default if the file has none. */
export function manifestKey(object: KubeObject): string {
  return `${object.metadata.namespace ?? 'default'}/${object.metadata.name}`;
}

function readDocuments(file: string, problems: string[]): unknown[] {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    problems.push(`${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
  return parseAllDocuments(text).flatMap((document): unknown[] => {
    const [error] = document.errors;
    if (error !== undefined) {
      problems.push(`${file}: not YAML: ${error.message}`);
      return [];
    }
    const content: unknown = document.toJS();
    const { kind, items } = Object(content) as { kind?: unknown; items?: unknown };
    return kind === 'List' && Array.isArray(items) ? items : [content];
  });
}

function addOurs(file: string, object: KubeObject & { spec: unknown }, into: ManifestFiles): void {
  const issues = validateManifest(object);
  const name = `${object.kind} ${object.metadata?.name ?? ''}`;
  into.problems.push(...issues.map((issue) => `${file}: ${name}: ${describeIssue(issue)}`));
  if (issues.length > 0) return;
  const metadata = { ...object.metadata, namespace: object.metadata.namespace ?? 'default' };
  if (object.kind === 'InferencePool') {
    into.pools.push({ ...object, metadata, spec: inferencePoolSpec.parse(object.spec) });
  } else {
    into.models.push({ ...object, metadata, spec: inferenceModelSpec.parse(object.spec) });
  }
}

function addClaim({ metadata, spec }: KubeObject & { spec: unknown }, { claims }: ManifestFiles): void {
  const { namespace = 'default', name = '' } = Object(metadata) as Partial<ObjectMeta>;
  const { accessModes } = Object(spec) as { accessModes?: unknown };
  if (Array.isArray(accessModes)) claims.set(`${namespace}/${name}`, accessModes.map(String));
}

/** Reads files (`-` is standard input). Ignores other kinds, and does not throw because of their content. */
export function readManifestFiles(files: readonly string[]): ManifestFiles {
  const found: ManifestFiles = {
    pools: [],
    models: [],
    namespaces: new Map(),
    claims: new Map(),
    problems: [],
  };
  for (const file of files) {
    for (const content of readDocuments(file, found.problems)) {
      const object = Object(content) as KubeObject & { spec: unknown };
      if (isOurs(object)) addOurs(file, object, found);
      else if (object.kind === 'Namespace' && object.apiVersion === 'v1') {
        const { name = '', labels } = Object(object.metadata) as Partial<ObjectMeta>;
        found.namespaces.set(name, { ...labels, 'kubernetes.io/metadata.name': name });
      } else if (object.kind === 'PersistentVolumeClaim' && object.apiVersion === 'v1') {
        addClaim(object, found);
      } else if (typeof object.apiVersion === 'string' && object.apiVersion.startsWith(`${GROUP}/`)) {
        const what = `${object.apiVersion} ${object.kind}`;
        found.problems.push(
          `${file}: unknown kind ${what}: use InferencePool or InferenceModel of ${API_VERSION}`,
        );
      }
    }
  }
  return found;
}
