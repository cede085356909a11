/** The manifests of examples/, by who applies them (docs/adr/0008-teams-edit-models-administrators-pools.md). */
import { readdirSync, readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { InferenceModel } from '../../operator/api/types.ts';
import type { KubeObject } from '../../operator/kube/object.ts';

const FOLDER = new URL('../../examples/', import.meta.url);

function objects(): KubeObject[] {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));
  return files.flatMap((name) =>
    parseAllDocuments(readFileSync(new URL(name, FOLDER), 'utf8')).map(
      (document) => document.toJS() as KubeObject,
    ),
  );
}

/** Namespaces and pools, which administrators apply. A namespace may be there more than once. */
export function administratorsExamples(): KubeObject[] {
  return objects().filter(({ kind }) => kind === 'Namespace' || kind === 'InferencePool');
}

/** Models, for which the role `edit` in their namespaces suffices. */
export function editorsExamples(): InferenceModel[] {
  return objects().filter((object): object is InferenceModel => object.kind === 'InferenceModel');
}
