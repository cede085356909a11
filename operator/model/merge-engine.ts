/** Merges the specs of a pool and a model into the configuration of the engine. */
import type { EngineSettings } from '../api/engine-settings.ts';
import type { InferenceModelSpec } from '../api/inference-model.ts';
import { DEFAULTS } from '../values/defaults.ts';
import { InvalidSpecError, type SpecIssue } from '../values/spec-issue.ts';
import { durationSeconds } from '../values/units.ts';
import { type ModelSource, parseModelSource } from '../vllm/model-source.ts';
import { findModel } from '../vllm/models.ts';
import {
  type EngineVersion,
  formatVersion,
  imageVersion,
  isOfficialImage,
  PINNED_VERSION,
  parseVersion,
} from '../vllm/versions.ts';
import { drainTimeoutSeconds } from './drain-timeout.ts';
import { checkEngine } from './engine-checks.ts';
import { appliedSettings, applyProfile, findProfile } from './engine-profile.ts';
import { engineTracing } from './engine-tracing.ts';
import { mergeSettings } from './merge-settings.ts';
import type { MergedEngine } from './merged-engine.ts';
import type { ResolvedAccelerator } from './resolve-accelerator.ts';
import type { ResolvedPool } from './resolved-model.ts';
import type { ResolvedScaling } from './resolved-scaling.ts';
import { type EngineInput, settingField } from './setting-field.ts';
import { checkTemplate } from './template-checks.ts';
import { ownSharedMemoryGiB } from './template-volumes.ts';

/** Engine images if neither pool nor model sets one. */
const DEFAULT_IMAGES = {
  nvidia: `vllm/vllm-openai:v${formatVersion(PINNED_VERSION)}`,
  amd: `vllm/vllm-openai-rocm:v${formatVersion(PINNED_VERSION)}`,
  other: `vllm/vllm-openai:v${formatVersion(PINNED_VERSION)}`,
  cpu: `vllm/vllm-openai-cpu:v${formatVersion(PINNED_VERSION)}`,
} as const;

/** vLLM's default for an API server, set explicitly so that the router knows the capacity. */
function defaultMaxNumSeqs(accelerator: ResolvedAccelerator, settings: EngineSettings): number {
  const base = accelerator.vendor === 'cpu' ? 128 : accelerator.largeBatches ? 1024 : 256;
  const usual = base * (settings.performanceMode === 'throughput' ? 2 : 1);
  // As vLLM does: each sequence has at least one token in a step.
  return Math.min(usual, settings.batching?.maxNumBatchedTokens ?? usual);
}

function resolveVersion(
  input: EngineInput,
  settings: EngineSettings,
  image: string,
  issues: SpecIssue[],
): EngineVersion {
  const version = settings.version === undefined ? imageVersion(image) : parseVersion(settings.version);
  if (version !== undefined) return version;
  issues.push({
    field: settingField(input, 'image'),
    value: image,
    reason: isOfficialImage(image)
      ? 'its tag does not contain the vLLM version, which determines the flags'
      : 'it is not an official vLLM image, so its tag may differ from the vLLM version, which determines the flags',
    remedy: `set ${settingField(input, 'version')} to the vLLM version in the image, such as v${formatVersion(PINNED_VERSION)}`,
  });
  return PINNED_VERSION;
}

function resolveSource(spec: InferenceModelSpec, issues: SpecIssue[]): ModelSource {
  try {
    return parseModelSource(spec.model.source);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    issues.push({
      field: 'spec.model.source',
      value: spec.model.source,
      reason: error.message,
      remedy:
        'use hf://org/name, s3://bucket/path, gs://bucket/path, pvc://claim/path, oci://image or file:///path',
    });
    return { kind: 'hf', argument: spec.model.source };
  }
}

/** Tensor-parallel size that uses all accelerators given the other sizes; 1 and an issue if there is none. */
function defaultTensorParallelSize(
  input: EngineInput,
  accelerators: number,
  others: number,
  issues: SpecIssue[],
): number {
  if (accelerators % others === 0) return accelerators / others;
  issues.push({
    field: settingField(input, 'tensorParallelSize'),
    value: undefined,
    reason: `pipelineParallelSize times dataParallelSize is ${others}, which does not divide the ${accelerators} accelerators of a replica`,
    remedy: 'choose sizes whose product divides the accelerators, or set tensorParallelSize',
  });
  return 1;
}

/**
 * Merges the engine settings of pool and model, applies defaults and checks the result against the accelerator, the engine
 * version and the facts of the model. Throws InvalidSpecError with all issues.
 */
export function mergeEngine(
  { pool, accelerator }: ResolvedPool,
  model: EngineInput['model'],
  scaling: ResolvedScaling,
): MergedEngine {
  const { profile: named, issue } = findProfile({ pool, model });
  const input: EngineInput = { pool, model, ...(named && { profile: named }) };
  const issues: SpecIssue[] = issue ? [issue] : [];
  const typed = mergeSettings(pool.spec.engine, model.spec.engine);
  const image = typed.image ?? DEFAULT_IMAGES[accelerator.vendor];
  const version = resolveVersion(input, typed, image, issues);
  const profile = named && applyProfile(named, typed, version);
  const settings = profile ? mergeSettings(appliedSettings(profile), typed) : typed;
  const source = resolveSource(model.spec, issues);
  const pipelineParallelSize = settings.pipelineParallelSize ?? DEFAULTS.engine.pipelineParallelSize;
  const dataParallelSize = settings.dataParallelSize ?? DEFAULTS.engine.dataParallelSize;
  const others = pipelineParallelSize * dataParallelSize;
  const known = findModel(model.spec.model.source, model.spec.model.facts);
  const { speculative } = settings;
  const draft = speculative?.model && findModel(speculative.model, speculative.facts);
  const tracing = engineTracing(pool.spec.tracing, model.metadata, version, settings.extraArgs ?? []);
  const ownSharedMemory = ownSharedMemoryGiB(model.spec.template);
  const engine: MergedEngine = {
    image,
    imageIsDefault: settings.image === undefined,
    version,
    accelerator,
    source,
    servedNames: model.spec.model.servedNames ?? [model.metadata.name],
    ...(model.spec.model.revision === undefined ? {} : { revision: model.spec.model.revision }),
    trustRemoteCode: model.spec.model.trustRemoteCode,
    tensorParallelSize:
      settings.tensorParallelSize ?? defaultTensorParallelSize(input, accelerator.count, others, issues),
    pipelineParallelSize,
    dataParallelSize,
    expertParallel: settings.expertParallel ?? false,
    maxNumSeqs: settings.batching?.maxNumSeqs ?? defaultMaxNumSeqs(accelerator, settings),
    startupTimeoutSeconds: Math.ceil(
      durationSeconds(settings.startupTimeout ?? DEFAULTS.engine.startupTimeout),
    ),
    drainTimeoutSeconds: Math.ceil(drainTimeoutSeconds(settings)),
    settings: withDefaults(settings, accelerator, source),
    ...(profile && { profile }),
    extraArgs: settings.extraArgs ?? [],
    env: settings.env ?? [],
    ...(tracing && { tracing }),
    ...(ownSharedMemory === undefined ? {} : { ownSharedMemoryGiB: ownSharedMemory }),
    ...(known === undefined ? {} : { model: known }),
    ...(draft && { draft }),
  };
  issues.push(...checkEngine(engine, input), ...checkTemplate(engine, pool.spec, model.spec, scaling));
  if (issues.length > 0) throw new InvalidSpecError(issues);
  return engine;
}

function withDefaults(
  settings: EngineSettings,
  accelerator: ResolvedAccelerator,
  source: ModelSource,
): EngineSettings {
  const streamed = source.kind === 's3' || source.kind === 'gs';
  return {
    ...settings,
    // vLLM reads object storage only through the Run:ai streamer.
    ...(streamed && settings.loadFormat === undefined ? { loadFormat: 'runai_streamer' } : {}),
    ...(accelerator.bf16 === false && settings.dtype === undefined ? { dtype: 'half' as const } : {}),
  };
}
