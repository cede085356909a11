import type { InferenceModel } from '../api/types.ts';
import { InvalidSpecError, type SpecIssue } from '../values/spec-issue.ts';
import { durationSeconds } from '../values/units.ts';
import { checkDegradation } from './degradation-tiers.ts';
import { drainTimeoutSeconds } from './drain-timeout.ts';
import type { Grant } from './grant.ts';
import { planMemory } from './memory-plan.ts';
import { mergeEngine } from './merge-engine.ts';
import { mergeAdapters } from './merge-settings.ts';
import type { MergedEngine } from './merged-engine.ts';
import { chargedReplicas } from './replica-counts.ts';
import { resolveEngine } from './resolve-engine.ts';
import { resolveScaling } from './resolve-scaling.ts';
import {
  DOES_NOT_FIT,
  INVALID_SPEC,
  type Resolution,
  type ResolvedPool,
  type SpecFault,
} from './resolved-model.ts';
import type { ResolvedScaling } from './resolved-scaling.ts';

type ModelSpec = Pick<InferenceModel, 'metadata' | 'spec'>;

/** Resolves the spec of a model in its pool, including everything that is wrong with it. */
export function resolveModel(resolvedPool: ResolvedPool, model: ModelSpec): Resolution {
  const { pool, accelerator } = resolvedPool;
  const { scaling, issues: schedules } = resolveScaling(model.spec.scaling);
  const { engine, issues } = merge(resolvedPool, model, scaling);
  const memory = engine && planMemory(engine);
  const resolved = engine && resolveEngine(engine, model.spec);
  const tiers = checkDegradation(pool, model, resolved?.maxModelLen);
  const { wakeTimeout = pool.spec.admission.wakeTimeout } = model.spec.admission ?? {};
  return {
    accelerator,
    claim: claimOf(resolvedPool, model, scaling),
    scaling,
    wakeTimeoutMs: durationSeconds(wakeTimeout) * 1_000,
    drainTimeoutMs: drainTimeoutSeconds(model.spec.engine, pool.spec.engine) * 1_000,
    engine: resolved,
    memory,
    fault: faultOf([...issues, ...schedules, ...tiers], memory?.issue),
  };
}

function merge(
  resolved: ResolvedPool,
  model: ModelSpec,
  scaling: ResolvedScaling,
): { engine?: MergedEngine; issues: readonly SpecIssue[] } {
  try {
    return { engine: mergeEngine(resolved, model, scaling), issues: [] };
  } catch (error) {
    if (!(error instanceof InvalidSpecError)) throw error;
    return { issues: error.issues };
  }
}

function claimOf({ pool }: ResolvedPool, { metadata, spec }: ModelSpec, scaling: ResolvedScaling): Grant {
  const adapters = mergeAdapters(pool.spec.engine, spec.engine);
  const names = spec.model.servedNames ?? [metadata.name];
  return {
    names: [...new Set([...names, ...adapters.map(({ name }) => name)])],
    replicas: chargedReplicas(scaling, spec.suspend),
  };
}

function faultOf(issues: readonly SpecIssue[], misfit: SpecIssue | undefined): SpecFault | undefined {
  const all = [...issues, ...(misfit ? [misfit] : [])];
  if (issues.length > 0) return { why: INVALID_SPEC, issues: all };
  return misfit && { why: DOES_NOT_FIT, issues: [misfit] };
}
