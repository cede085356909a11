/** Assesses the models in files against the pools in files. */
import type { InferenceModel, InferencePool } from '../api/types.ts';
import { acceptModels } from '../model/acceptance.ts';
import { type Assessment, assess, type Surroundings } from '../model/assess.ts';
import { Holdings } from '../model/holdings.ts';
import { poolKeyOf } from '../model/pool-key.ts';
import { resolveModel } from '../model/resolve-model.ts';
import { resolvePool } from '../model/resolve-pool.ts';
import type { ResolvedPool } from '../model/resolved-model.ts';
import type { ClaimModes } from '../model/shared-claims.ts';
import type { Verdict } from '../model/verdict.ts';
import { InvalidSpecError, type SpecIssue } from '../values/spec-issue.ts';
import { type ManifestFiles, manifestKey } from './manifest-files.ts';

export interface AssessedModel {
  model: InferenceModel;
  assessment: Assessment;
}

export interface AssessedFiles {
  /** Models whose pool is in the files and valid. */
  models: AssessedModel[];
  /** Invalid pools, in which no model can run. */
  wrongPools: { pool: InferencePool; issues: readonly SpecIssue[] }[];
}

const ACCEPTED: Verdict = { accepted: true };

/** Access modes of claims in a namespace, as far as the files contain them. */
export function claimModesOf({ claims }: ManifestFiles, namespace: string): ClaimModes {
  return (name) => claims.get(`${namespace}/${name}`);
}

/** Assesses the files as if they were applied together to an empty cluster. `now` is in milliseconds since 1970. */
export function assessFiles(found: ManifestFiles, now: number): AssessedFiles {
  const wrongPools: AssessedFiles['wrongPools'] = [];
  const models = found.pools.flatMap((pool) => {
    const own = found.models.filter((model) => poolKeyOf(model) === manifestKey(pool));
    try {
      return assessPool(resolvePool(pool), pool, own, found, now);
    } catch (error) {
      if (!(error instanceof InvalidSpecError)) throw error;
      wrongPools.push({ pool, issues: error.issues });
      return [];
    }
  });
  return { models, wrongPools };
}

function assessPool(
  resolved: ResolvedPool,
  pool: InferencePool,
  models: readonly InferenceModel[],
  found: ManifestFiles,
  now: number,
): AssessedModel[] {
  const entries = models.map((model) => ({
    model,
    named: withUid(model),
    resolution: resolveModel(resolved, model),
  }));
  const resolutions = new Map(entries.map(({ named, resolution }) => [named, resolution]));
  const { verdicts } = acceptModels({
    ...resolved,
    models: entries.map(({ named }) => named),
    namespaceLabels: (name) => found.namespaces.get(name),
    resolve: (named) => resolutions.get(named) ?? resolveModel(resolved, named),
    holdings: new Holdings(),
  });
  return entries.map(({ model, resolution }) => ({
    model,
    assessment: assess(model, {
      ...ofFiles(found, now),
      pool: () => pool,
      resolve: () => resolution,
      verdict: () => verdicts.get(manifestKey(model)) ?? ACCEPTED,
    }),
  }));
}

/** Assesses a model in a pool that is not in the files. */
export function assessIn(
  pool: InferencePool,
  model: InferenceModel,
  found: ManifestFiles,
  now: number,
): Assessment {
  return assess(model, {
    ...ofFiles(found, now),
    pool: () => pool,
    resolve: () => resolveModel(resolvePool(pool), model),
    verdict: () => ACCEPTED,
  });
}

function ofFiles(found: ManifestFiles, now: number): Pick<Surroundings, 'hasEngines' | 'claimModes' | 'now'> {
  return { hasEngines: () => false, claimModes: (namespace) => claimModesOf(found, namespace), now };
}

/** Objects in files have no UID, so their name is used instead. */
function withUid(model: InferenceModel): InferenceModel {
  return { ...model, metadata: { ...model.metadata, uid: manifestKey(model) } };
}
