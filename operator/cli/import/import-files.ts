/** `vllm-operator import`: InferenceModels from what serves a model today. */
import { stringify } from 'yaml';
import { API_VERSION } from '../../api/common.ts';
import { inferenceModelSpec } from '../../api/inference-model.ts';
import type { InferenceModel } from '../../api/types.ts';
import { validateManifest } from '../../api/validate.ts';
import { printable } from '../../values/printable.ts';
import { describeIssue, type SpecIssue } from '../../values/spec-issue.ts';
import { readDocuments } from '../manifest-files.ts';
import type { CommandOutput } from '../problems.ts';
import { issuesOfAlone } from '../validate.ts';
import { boundsOf, targetKey } from './autoscaler-bounds.ts';
import {
  type Draft,
  type Fields,
  fieldsOf,
  listOf,
  nameFrom,
  note,
  ownOf,
  setField,
  textOf,
} from './draft.ts';
import { fromService, runsVllm } from './from-compose.ts';
import { fromKServe } from './from-kserve.ts';
import { fromKubeAI } from './from-kubeai.ts';
import { fromProductionStack } from './from-production-stack.ts';
import { fromWorkload } from './from-workload.ts';

export interface ImportOptions {
  /** Name of the pool that the models name. */
  pool: string;
  /** Namespace of that pool, if it is another one. */
  poolNamespace?: string;
}

/** Most models of one run. */
const MAX_MODELS = 1_000;

/** What becomes of each kind, by `kind`. */
const KINDS: Readonly<Record<string, (draft: Draft, object: Fields) => void>> = {
  Deployment: fromWorkload,
  StatefulSet: fromWorkload,
  Model: fromKubeAI,
  InferenceService: fromKServe,
};

/** Kinds beside a workload that the operator makes, or that clients no longer need. */
const NOT_NEEDED: Readonly<Record<string, string>> = {
  Service: 'the operator makes one; clients use the router of the pool',
  Ingress: 'clients use the router of the pool; see router.ingress of the InferencePool',
  HTTPRoute: 'clients use the router of the pool',
  PodDisruptionBudget: 'the operator makes one',
  NetworkPolicy: 'the operator makes one',
  ServiceMonitor: 'use the PodMonitor of the chart',
  PodMonitor: 'use the PodMonitor of the chart',
};

/**
 * Prints an InferenceModel for each Deployment or StatefulSet that runs vLLM, service of docker-compose, `Model` of KubeAI,
 * `InferenceService` of KServe and model in values of the production stack. What is not carried over goes to `fail`, with
 * field, value, reason and remedy. Returns 1 if nothing is found, a file cannot be
 * read, or a model needs a change before it is valid; else 0.
 */
export function importFiles(
  files: readonly string[],
  options: ImportOptions,
  { write, fail }: CommandOutput,
): number {
  const problems: string[] = [];
  const drafts = files.flatMap((file) => draftsOf(file, readDocuments(file, problems).map(fieldsOf), fail));
  for (const problem of problems) fail(`${problem}\n`);
  if (drafts.length === 0 && problems.length === 0)
    fail(
      `${files.join(', ')}: nothing that serves a model with vLLM; pass a Deployment, a docker-compose file, a Model of KubeAI, an InferenceService of KServe or values of the production stack\n`,
    );
  let isValid = true;
  for (const draft of drafts.slice(0, MAX_MODELS)) {
    const manifest = manifestOf(draft, options);
    isValid &&= issuesOf(manifest).length === 0;
    write(`${drafts.length > 1 ? '---\n' : ''}${stringify(manifest, { lineWidth: 0 })}`);
    for (const issue of draft.notes) fail(`${draft.from}: ${describeIssue(issue)}\n`);
  }
  if (drafts.length > MAX_MODELS)
    fail(`only the first ${MAX_MODELS} of ${drafts.length} models were imported; pass fewer files\n`);
  const isWhole = drafts.length > 0 && drafts.length <= MAX_MODELS && problems.length === 0;
  return isWhole && isValid ? 0 : 1;
}

function draftsOf(file: string, documents: readonly Fields[], fail: (text: string) => void): Draft[] {
  const bounds = new Map(
    documents.flatMap((document) => {
      const found = boundsOf(document);
      return found ? [[found.target, found.scaling] as const] : [];
    }),
  );
  return documents.flatMap((document): Draft[] => {
    const { kind, services, servingEngineSpec } = document;
    if (typeof kind === 'string') {
      const read = ownOf(KINDS, kind);
      if (!read || !isOurs(document)) {
        const why = ownOf(NOT_NEEDED, kind);
        if (why)
          fail(`${file}: ${kind} ${printable(String(fieldsOf(document.metadata).name))}: left out: ${why}\n`);
        return [];
      }
      const draft = newDraft(kind, fieldsOf(document.metadata));
      read(draft, document);
      applyBounds(draft, bounds.get(targetKey(kind, fieldsOf(document.metadata))));
      return [draft];
    }
    if (typeof services === 'object') return fromCompose(fieldsOf(services));
    if (typeof servingEngineSpec === 'object') return fromValues(fieldsOf(servingEngineSpec), fail);
    return [];
  });
}

/** Deployments that do not run vLLM are beside it in the same file. */
function isOurs({ kind, apiVersion, spec }: Fields): boolean {
  if (kind === 'Model') return String(apiVersion).startsWith('kubeai.org/');
  if (kind === 'InferenceService') return String(apiVersion).startsWith('serving.kserve.io/');
  return /vllm/i.test((JSON.stringify(fieldsOf(fieldsOf(spec).template).spec) ?? '').slice(0, 1_048_576));
}

function newDraft(kind: string, { name, namespace }: Fields): Draft {
  const own = textOf(namespace);
  const from = `${kind} ${own ? `${own}/` : ''}${textOf(name) ?? ''}`;
  const draft: Draft = {
    from: printable(from),
    name: nameFrom(textOf(name) ?? '') || 'model',
    ...(own && { namespace: own }),
    spec: {},
    notes: [],
  };
  if (draft.name !== name)
    note(draft, 'metadata.name', name, 'it is no name for an InferenceModel', `it is ${draft.name} now`);
  return draft;
}

function fromCompose(services: Fields): Draft[] {
  return Object.entries(services).flatMap(([name, value]) => {
    const service = fieldsOf(value);
    if (!runsVllm(service)) return [];
    const draft = newDraft('service', { name });
    fromService(draft, service);
    return [draft];
  });
}

function fromValues(engines: Fields, fail: (text: string) => void): Draft[] {
  return listOf(engines.modelSpec).flatMap((entry) => {
    const draft = newDraft('modelSpec', { name: entry.name });
    if (entry.enabled === false) {
      fail(`${draft.from}: left out: it is not enabled\n`);
      return [];
    }
    fromProductionStack(draft, entry, engines);
    return [draft];
  });
}

function applyBounds(draft: Draft, scaling: Fields | undefined): void {
  if (!scaling) return;
  setField(draft, 'scaling', { ...scaling });
  note(
    draft,
    'HorizontalPodAutoscaler',
    undefined,
    'its metrics are not carried over: models scale by requests in flight',
    'remove it, and set spec.scaling.target if the default does not fit',
  );
}

/** The manifest. What the schema and its rules refuse is left out and noted, so that the rest is valid. */
function manifestOf(draft: Draft, { pool, poolNamespace }: ImportOptions): Fields {
  const poolRef = { name: pool, ...(poolNamespace && { namespace: poolNamespace }) };
  const { model, engine, scaling, template } = draft.spec;
  const parts = { model: inOrder(model), engine: inOrder(engine), scaling, template };
  draft.spec = {
    poolRef,
    ...Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined)),
  };
  const manifest = {
    apiVersion: API_VERSION,
    kind: 'InferenceModel',
    metadata: { name: draft.name, ...(draft.namespace && { namespace: draft.namespace }) },
    spec: draft.spec,
  };
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const issues = validateManifest(manifest);
    const left = issues.filter(({ field }) => !leaveOut(draft, field));
    for (const issue of issues) draft.notes.push({ ...issue, field: `InferenceModel.${issue.field}` });
    if (issues.length === 0)
      for (const issue of issuesOf(manifest))
        draft.notes.push({ ...issue, field: `InferenceModel.${issue.field}` });
    if (left.length === issues.length) return manifest;
  }
  return manifest;
}

/** Fields that readers look for first. */
const FIRST: readonly string[] = ['source', 'revision', 'servedNames', 'image', 'version', 'command'];

function inOrder(part: unknown): unknown {
  if (part === undefined) return undefined;
  const fields = fieldsOf(part);
  const first = FIRST.filter((name) => name in fields).map((name) => [name, fields[name]]);
  return { ...Object.fromEntries(first), ...fields };
}

/** What the API server, or the operator in any pool, would refuse. The user has to decide about it. */
function issuesOf(manifest: Fields): readonly SpecIssue[] {
  const model = manifest as unknown as InferenceModel;
  const issues = validateManifest(model);
  if (issues.length > 0) return issues;
  const spec = inferenceModelSpec.parse(model.spec);
  const found = { pools: [], models: [], namespaces: new Map(), claims: new Map(), problems: [] };
  return issuesOfAlone({ ...model, spec }, found, Date.now());
}

/** A field that is refused may make another one invalid, which the next round finds. */
const MAX_ROUNDS = 5;

/** Leaves out the field that an issue names, or the item of a list that it is in; false if there is none of that name. */
function leaveOut(draft: Draft, field: string): boolean {
  const names = field.split(/[.[\]"]/).filter((name) => name !== '' && name !== 'spec');
  const path: unknown[] = [draft.spec];
  for (const name of names) path.push(partOf(path.at(-1), name));
  const list = path.findIndex((part) => Array.isArray(part));
  if (list >= 0 && names[list] !== undefined)
    return (path[list] as unknown[]).splice(Number(names[list]), 1).length > 0;
  const holder = path.at(-2);
  const last = names.at(-1) ?? '';
  if (typeof holder !== 'object' || holder === null || !(last in holder)) return false;
  if (KEPT.includes(names.join('.'))) return false;
  delete (holder as Fields)[last];
  return true;
}

/** Without them there is no model to correct. */
const KEPT: readonly string[] = ['model', 'model.source', 'poolRef', 'poolRef.name'];

function partOf(whole: unknown, name: string): unknown {
  return Array.isArray(whole) ? whole[Number(name)] : fieldsOf(whole)[name];
}
