/** What is wrong with the pools and models of files, in lines for people: what the commands print on their way out. */
import type { InferenceModel, InferencePool } from '../api/types.ts';
import { poolKeyOf } from '../model/pool-key.ts';
import { describeIssue, type SpecIssue } from '../values/spec-issue.ts';
import { checkExtraArgs } from '../vllm/extra-args.ts';
import { imageVersion, PINNED_VERSION, parseVersion } from '../vllm/versions.ts';
import type { AssessedFiles } from './assess-files.ts';
import { type ManifestFiles, manifestKey } from './manifest-files.ts';

/** Where the output of a command goes. */
export interface CommandOutput {
  write: (text: string) => void;
  fail: (text: string) => void;
}

/** What no model of the pool could mend but by overriding it. */
function problemsOfPool(pool: InferencePool): string[] {
  const { image, version, extraArgs = [] } = pool.spec.engine ?? {};
  const known = version === undefined ? image && imageVersion(image) : parseVersion(version);
  const field = (at: number): string => `spec.engine.extraArgs[${at}]`;
  return linesOf(pool, checkExtraArgs(extraArgs, known || PINNED_VERSION, field));
}

/** Issues of an object as lines for people. */
export function linesOf(object: InferencePool | InferenceModel, issues: readonly SpecIssue[]): string[] {
  return issues.map((issue) => `${object.kind} ${manifestKey(object)}: ${describeIssue(issue)}`);
}

/** The models whose pool is not in the files. */
export function modelsWithoutPool({ pools, models }: ManifestFiles): InferenceModel[] {
  const keys = new Set(pools.map(manifestKey));
  return models.filter((model) => !keys.has(poolKeyOf(model)));
}

/** A line for each of them. */
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

/** What would keep a model or pool of the files from running, as lines for people. A model without its pool is passed over. */
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
