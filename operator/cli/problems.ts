/** Formats the problems of pools and models in files, as the commands print them. */
import type { InferenceModel, InferencePool } from '../api/types.ts';
import { poolKeyOf } from '../model/pool-key.ts';
import { versionWarning } from '../model/version-warning.ts';
import { describeIssue, type SpecIssue } from '../values/spec-issue.ts';
import { checkExtraArgs } from '../vllm/extra-args.ts';
import { imageVersion, isOfficialImage, PINNED_VERSION, parseVersion } from '../vllm/versions.ts';
import type { AssessedFiles } from './assess-files.ts';
import { type ManifestFiles, manifestKey } from './manifest-files.ts';

/** Output of a command. */
export interface CommandOutput {
  write: (text: string) => void;
  fail: (text: string) => void;
}

/** Problems of a pool that a model could only fix by overriding the setting. */
function problemsOfPool(pool: InferencePool): string[] {
  const { image, version, extraArgs = [] } = pool.spec.engine ?? {};
  const known = version === undefined ? image && imageVersion(image) : parseVersion(version);
  const field = (at: number): string => `spec.engine.extraArgs[${at}]`;
  const stock = image === undefined || isOfficialImage(image);
  return linesOf(pool, checkExtraArgs(extraArgs, { version: known || PINNED_VERSION, stock }, field));
}

/** Issues of an object as lines for users. */
export function linesOf(object: InferencePool | InferenceModel, issues: readonly SpecIssue[]): string[] {
  return issues.map((issue) => `${object.kind} ${manifestKey(object)}: ${describeIssue(issue)}`);
}

/** The models whose pool is not in the files. */
export function modelsWithoutPool({ pools, models }: ManifestFiles): InferenceModel[] {
  const keys = new Set(pools.map(manifestKey));
  return models.filter((model) => !keys.has(poolKeyOf(model)));
}

/** One line per model. */
export function problemsOfMissingPools(found: ManifestFiles): string[] {
  return modelsWithoutPool(found).flatMap((model) =>
    linesOf(model, [
      {
        field: 'spec.poolRef',
        value: undefined,
        reason: `there is no InferencePool ${poolKeyOf(model)} in the files`,
        remedy: 'add its file with another -f, or correct the name',
      },
    ]),
  );
}

/**
 * Everything that would keep a model or pool in the files from running, as lines for users. Models without their pool are
 * skipped.
 */
export function findProblems(found: ManifestFiles, { models, wrongPools }: AssessedFiles): string[] {
  const used = new Set([...found.models.map(poolKeyOf), ...wrongPools.map(({ pool }) => manifestKey(pool))]);
  return [
    ...found.problems,
    ...wrongPools.flatMap(({ pool, issues }) => linesOf(pool, issues)),
    ...found.pools.filter((pool) => !used.has(manifestKey(pool))).flatMap(problemsOfPool),
    ...models.flatMap(({ model, assessment }) =>
      assessment.kind === 'blocked' ? linesOf(model, assessment.issues) : [],
    ),
  ];
}

/** A line for each model whose engine is newer than the versions that are known: what it takes was not checked. */
export function warningsOf({ models }: AssessedFiles): string[] {
  return models.flatMap(({ model, assessment }) => {
    const resolution = assessment.kind === 'blocked' ? assessment.resolution : assessment.model;
    const warning = resolution?.engine && versionWarning(resolution.engine.version);
    return warning === undefined ? [] : [`warning: InferenceModel ${manifestKey(model)}: ${warning}`];
  });
}
