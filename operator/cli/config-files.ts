/** `plan --config`: the config.json of models that are not in the catalog, as `spec.model.facts`. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { InferenceModel } from '../api/types.ts';
import { describeIssue, InvalidSpecError } from '../values/spec-issue.ts';
import { factsOfConfig } from '../vllm/facts-of-config.ts';
import type { ModelFacts } from '../vllm/model-facts.ts';
import { hubIdOrPath } from '../vllm/model-source.ts';
import { findModel } from '../vllm/models.ts';

/** Largest file that is read. Those of quantized checkpoints list all their layers. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Facts of a file, and the models for which they were used. */
export interface ConfigFacts {
  path: string;
  facts: ModelFacts;
  /** The field of the manifests for which they stand. */
  field: 'spec.model.facts' | 'spec.engine.speculative.facts';
}

export interface WithConfigs {
  /** The models with the facts of the files. */
  models: InferenceModel[];
  used: ConfigFacts[];
  /** Lines for users. */
  problems: string[];
}

/**
 * Reads `--config` options: `PATH`, for the one model that the catalog lacks, or `SOURCE=PATH`. The path is a file or a directory
 * with a config.json.
 */
export function withConfigs(models: readonly InferenceModel[], options: readonly string[]): WithConfigs {
  const result: WithConfigs = { models: [...models], used: [], problems: [] };
  for (const option of options) {
    const { named, path } = split(option, models);
    const source = named ?? onlyUnknown(result.models);
    if (source === undefined) {
      result.problems.push(ambiguous(path, result.models));
      continue;
    }
    try {
      use(result, source, path, readFacts(path));
    } catch (error) {
      if (error instanceof InvalidSpecError)
        result.problems.push(...error.issues.map((issue) => `${path}: ${describeIssue(issue)}`));
      else result.problems.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return result;
}

/** The facts as YAML, to put into a manifest. */
export function factsText({ path, facts, field }: ConfigFacts): string {
  const yaml = stringify(facts).trimEnd().replaceAll(/^/gm, '  ');
  return `${field} from ${path}:\n${yaml}\n`;
}

function use(result: WithConfigs, source: string, path: string, facts: ModelFacts): void {
  const wanted = hubIdOrPath(source);
  const before = result.used.length;
  for (const field of ['spec.model.facts', 'spec.engine.speculative.facts'] as const) {
    const of = field === 'spec.model.facts' ? sourceOf : draftOf;
    if (!result.models.some((model) => of(model) === wanted)) continue;
    result.models = result.models.map((model) =>
      of(model) === wanted ? withFacts(model, field, facts) : model,
    );
    result.used.push({ path, facts, field });
  }
  if (result.used.length === before)
    result.problems.push(
      `--config ${source}=${path}: no model in the files has the source ${source}; ${NAMING}`,
    );
}

function withFacts(model: InferenceModel, field: ConfigFacts['field'], facts: ModelFacts): InferenceModel {
  const { spec } = model;
  if (field === 'spec.model.facts') return { ...model, spec: { ...spec, model: { ...spec.model, facts } } };
  const { engine } = spec;
  if (!engine?.speculative) return model;
  return {
    ...model,
    spec: { ...spec, engine: { ...engine, speculative: { ...engine.speculative, facts } } },
  };
}

/** A path may have `=` in it, so what stands before the first one is only a source if it looks like one or a model has it. */
function split(option: string, models: readonly InferenceModel[]): { named?: string; path: string } {
  const at = option.indexOf('=');
  const named = option.slice(0, Math.max(0, at));
  const source = hubIdOrPath(named);
  const isSource =
    named.includes('://') || models.some((model) => sourceOf(model) === source || draftOf(model) === source);
  return isSource ? { named, path: option.slice(at + 1) } : { path: option };
}

const NAMING = 'use --config SOURCE=PATH with spec.model.source, or the draft model of engine.speculative';

function sourceOf({ spec }: InferenceModel): string {
  return hubIdOrPath(spec.model.source);
}

function draftOf({ spec }: InferenceModel): string | undefined {
  const draft = spec.engine?.speculative?.model;
  return draft === undefined ? undefined : hubIdOrPath(draft);
}

function unknownSources(models: readonly InferenceModel[]): string[] {
  const unknown = models.filter(({ spec }) => findModel(spec.model.source, spec.model.facts) === undefined);
  return [...new Set(unknown.map(({ spec }) => spec.model.source))];
}

function onlyUnknown(models: readonly InferenceModel[]): string | undefined {
  const [source, ...others] = unknownSources(models);
  return others.length === 0 ? source : undefined;
}

function ambiguous(path: string, models: readonly InferenceModel[]): string {
  const sources = unknownSources(models);
  const which =
    sources.length === 0
      ? 'the catalog has all models of the files'
      : `the catalog lacks several models of the files: ${sources.slice(0, 5).join(', ')}`;
  return `--config ${path}: ${which}; ${NAMING}`;
}

/** Facts of a config.json or of a directory with one. Throws InvalidSpecError for what is in the file, and an error of the system when it cannot be read. */
export function readFacts(path: string): ModelFacts {
  const file = statSync(path).isDirectory() ? join(path, 'config.json') : path;
  return factsOfConfig(readBounded(file));
}

/** Stops at a size, because a path may name something without an end such as a device. */
function readBounded(path: string): string {
  const descriptor = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read)
      read = readSync(descriptor, buffer, length, buffer.length - length, null);
    if (length <= MAX_BYTES) return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(descriptor);
  }
  throw new InvalidSpecError([
    {
      field: 'the file',
      value: undefined,
      reason: `has more than ${MAX_BYTES / 1024 / 1024} MiB`,
      remedy: 'use the config.json of the model, not its weights',
    },
  ]);
}
