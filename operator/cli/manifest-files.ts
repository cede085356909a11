/** Reads pools and models from YAML files, validated and defaulted like the API server. */
import { type Document, parseAllDocuments } from 'yaml';
import { API_VERSION, GROUP } from '../api/common.ts';
import { inferenceModelSpec } from '../api/inference-model.ts';
import { inferencePoolSpec } from '../api/inference-pool.ts';
import type { InferenceModel, InferencePool } from '../api/types.ts';
import { isOurs, validateManifest } from '../api/validate.ts';
import type { KubeObject, ObjectMeta } from '../kube/object.ts';
import { printable } from '../values/printable.ts';
import { describeIssue } from '../values/spec-issue.ts';
import { readText } from './read-text.ts';

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

/** A value that a file should have as text, on one line; empty if it is something else. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? printable(value) : '';
}

/** The content of a document, or what is wrong with it. The API server takes JSON, which has no cycles. */
function contentOf(document: Document.Parsed): { content?: unknown; fault?: string } {
  const [error] = document.errors;
  if (error !== undefined) return { fault: error.message };
  try {
    const content: unknown = document.toJS();
    JSON.stringify(content);
    return { content };
  } catch (cause) {
    // The library throws ReferenceError because of aliases, JavaScript TypeError because of cycles.
    if (cause instanceof ReferenceError) return { fault: cause.message };
    if (cause instanceof TypeError)
      return { fault: 'an object contains itself; write it without this alias' };
    throw cause;
  }
}

/** The documents of a YAML file (`-` is standard input), with the items of lists. What is wrong is added to `problems`. */
export function readDocuments(file: string, problems: string[]): unknown[] {
  let text: string;
  try {
    text = readText(file);
  } catch (error) {
    problems.push(`${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
  return parseAllDocuments(text).flatMap((document): unknown[] => {
    const { content, fault } = contentOf(document);
    if (fault !== undefined) {
      problems.push(`${file}: not YAML: ${fault.split('\n').map(printable).join('\n')}`);
      return [];
    }
    const { kind, items } = Object(content) as { kind?: unknown; items?: unknown };
    return kind === 'List' && Array.isArray(items) ? items : [content];
  });
}

function addOurs(file: string, object: KubeObject & { spec: unknown }, into: ManifestFiles): void {
  const issues = validateManifest(object);
  const name = `${object.kind} ${textOf(object.metadata?.name)}`;
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
  if (Array.isArray(accessModes)) claims.set(`${textOf(namespace)}/${textOf(name)}`, accessModes.map(textOf));
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
        found.namespaces.set(name, { ...Object(labels), 'kubernetes.io/metadata.name': name });
      } else if (object.kind === 'PersistentVolumeClaim' && object.apiVersion === 'v1') {
        addClaim(object, found);
      } else if (typeof object.apiVersion === 'string' && object.apiVersion.startsWith(`${GROUP}/`)) {
        const what = `${textOf(object.apiVersion)} ${textOf(object.kind)}`;
        found.problems.push(
          `${file}: unknown kind ${what}: use InferencePool or InferenceModel of ${API_VERSION}`,
        );
      }
    }
  }
  return found;
}
