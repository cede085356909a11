/** What specs come to, for tests of what is made of it. */
import type { InferenceModel, InferencePool } from '../../../../operator/api/types.ts';
import { mergeEngine } from '../../../../operator/model/merge-engine.ts';
import type { MergedEngine } from '../../../../operator/model/merged-engine.ts';
import { resolveModel } from '../../../../operator/model/resolve-model.ts';
import { resolvePool } from '../../../../operator/model/resolve-pool.ts';
import { resolveScaling } from '../../../../operator/model/resolve-scaling.ts';
import type { Resolution, ResolvedModel } from '../../../../operator/model/resolved-model.ts';
import type { ResolvedScaling, ScalingSpec } from '../../../../operator/model/resolved-scaling.ts';
import { scalingTarget } from '../../../../operator/model/scaling-target.ts';
import { InvalidSpecError } from '../../../../operator/values/spec-issue.ts';

export function resolutionOf(pool: InferencePool, model: InferenceModel): Resolution {
  return resolveModel(resolvePool(pool), model);
}

/** A model for which its pool is not asked, nor whether its memory fits. Throws InvalidSpecError. */
export function resolved(pool: InferencePool, model: InferenceModel): ResolvedModel {
  const resolution = resolutionOf(pool, model);
  const { engine, fault, scaling } = resolution;
  if (!engine) throw new InvalidSpecError(fault?.issues ?? []);
  return { ...resolution, pool, model, engine, target: scalingTarget(scaling, engine, pool, model) };
}

/** Throws InvalidSpecError. */
export function merged(pool: InferencePool, model: InferenceModel): MergedEngine {
  return mergeEngine(resolvePool(pool), model, scalingOf(model.spec.scaling));
}

/** Throws InvalidSpecError for schedules that cannot be. */
export function scalingOf(spec: ScalingSpec | undefined): ResolvedScaling {
  const { scaling, issues } = resolveScaling(spec);
  if (issues.length > 0) throw new InvalidSpecError(issues);
  return scaling;
}
