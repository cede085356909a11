/** `vllm-operator render`: the manifests that the operator would apply, without a cluster. */
import { stringify } from 'yaml';
import type { InferenceModel, InferencePool } from '../api/types.ts';
import { acceptModels } from '../controllers/acceptance/acceptance.ts';
import { claimOf, isRunnable } from '../controllers/acceptance/claim.ts';
import { Holdings } from '../controllers/acceptance/holdings.ts';
import { resolveMode, withBudget } from '../controllers/scaling/mode.ts';
import { planMemory } from '../model/memory-plan.ts';
import { resolveEngine } from '../model/settings.ts';
import { type ClaimModes, checkSharedClaims } from '../model/shared-claims.ts';
import { renderHpa } from '../render/hpa.ts';
import type { Cluster, Manifest } from '../render/manifest.ts';
import { renderModel } from '../render/model.ts';
import { renderPool } from '../render/pool.ts';
import { readRouterTemplates, routerFiles } from '../router/router-files.ts';
import { boundsAt } from '../scaling/bounds.ts';
import { ScheduleError } from '../scaling/cron-edge.ts';
import { describeIssue, InvalidSpecError } from '../values/spec-issue.ts';
import { resolveAccelerator } from '../vllm/accelerators.ts';
import { checkExtraArgs } from '../vllm/extra-args.ts';
import { imageVersion, PINNED_VERSION, parseVersion } from '../vllm/versions.ts';
import { type ManifestFiles, manifestKey, readManifestFiles } from './manifest-files.ts';

/** Where the output of a command goes. */
export interface CommandOutput {
  write: (text: string) => void;
  fail: (text: string) => void;
}

/** Stand-ins for what only a running operator has. Nobody knows a password with this hash. */
const NO_PASSWORD = '0'.repeat(64);
const NO_CA = '# the CA of the running operator\n';

const HEADER = `# What vllm-operator applies for these objects. Three things only a running operator knows:
# its CA (operator-ca.crt) and the hash of the Redis password (users.acl), and replicas of the engines.
# HPAs are made where the operator serves external.metrics.k8s.io, with the bounds that schedules give at the time.
`;

/** Objects in files have no UID; their name stands in for it. */
function withUid(model: InferenceModel): InferenceModel {
  return { ...model, metadata: { ...model.metadata, uid: manifestKey(model) } };
}

/** What no model of the pool could mend but by overriding it. */
function problemsOfPool(pool: InferencePool): string[] {
  resolveAccelerator(pool.spec.accelerator);
  const { image, version, extraArgs = [] } = pool.spec.engine ?? {};
  const known = version === undefined ? image && imageVersion(image) : parseVersion(version);
  const field = (at: number): string => `spec.engine.extraArgs[${at}]`;
  return checkExtraArgs(extraArgs, known || PINNED_VERSION, field).map(
    (issue) => `InferencePool ${manifestKey(pool)}: ${describeIssue(issue)}`,
  );
}

function problemsOfModels(
  pool: InferencePool,
  models: readonly InferenceModel[],
  found: ManifestFiles,
): string[] {
  const { verdicts } = acceptModels({
    pool,
    models: models.map(withUid),
    namespaceLabels: (name) => found.namespaces.get(name),
    acceleratorsPerReplica: resolveAccelerator(pool.spec.accelerator).count,
    claimOf: (model) => claimOf(pool, model),
    isRunnable: (model) => isRunnable(pool, model, 0),
    holdings: new Holdings(),
  });
  return models.flatMap((model) => {
    const name = `InferenceModel ${manifestKey(model)}`;
    const verdict = verdicts.get(manifestKey(model));
    if (verdict !== undefined && !verdict.accepted) return [`${name}: ${verdict.message}`];
    try {
      const issue = planMemory(resolveEngine(pool, model))?.issue;
      return [...problemsOfClaims(model, found), ...(issue ? [`${name}: ${describeIssue(issue)}`] : [])];
    } catch (error) {
      return invalid(name, error);
    }
  });
}

/** What speaks against claims that the files declare. */
export function problemsOfClaims(model: InferenceModel, found: ManifestFiles): string[] {
  const issues = checkSharedClaims(model.spec, claimModesOf(found, model));
  return issues.map((issue) => `InferenceModel ${manifestKey(model)}: ${describeIssue(issue)}`);
}

/** Access modes of claims, as far as the files have them. */
function claimModesOf({ claims }: ManifestFiles, { metadata }: InferenceModel): ClaimModes {
  return (name) => claims.get(`${metadata.namespace}/${name}`);
}

/** The issues of an error as lines for people. Throws an error of another kind. */
export function invalid(name: string, error: unknown): string[] {
  if (!(error instanceof InvalidSpecError)) throw error;
  return error.issues.map((issue) => `${name}: ${describeIssue(issue)}`);
}

/** Any moment will do: an expression or time zone that does not exist fails at all of them. */
function scheduleProblems(model: InferenceModel): string[] {
  try {
    boundsAt(model.spec.scaling, 0);
    return [];
  } catch (error) {
    if (!(error instanceof ScheduleError)) throw error;
    return [`InferenceModel ${manifestKey(model)}: ${error.message}`];
  }
}

/** `namespace/name` of the pool that a model refers to. */
export function poolKeyOf(model: InferenceModel): string {
  return `${model.spec.poolRef.namespace ?? model.metadata.namespace}/${model.spec.poolRef.name}`;
}

/** The models whose pool is not in the files. */
export function modelsWithoutPool({ pools, models }: ManifestFiles): InferenceModel[] {
  const keys = new Set(pools.map(manifestKey));
  return models.filter((model) => !keys.has(poolKeyOf(model)));
}

/** What would keep a model or pool of the files from running, as lines for people. A model without its pool is passed over. */
export function findProblems(found: ManifestFiles): string[] {
  const pools = new Map(found.pools.map((pool) => [manifestKey(pool), pool]));
  return [
    ...found.problems,
    ...found.models.flatMap(scheduleProblems),
    ...[...pools].flatMap(([key, pool]) => {
      const models = found.models.filter((model) => poolKeyOf(model) === key);
      try {
        return models.length === 0 ? problemsOfPool(pool) : problemsOfModels(pool, models, found);
      } catch (error) {
        return invalid(`InferencePool ${key}`, error);
      }
    }),
  ];
}

/** Where the metrics API is the operator's. Which of the bounds of schedules are in force depends on the time. */
function hpaOf(pool: InferencePool, model: InferenceModel): Manifest[] {
  const now = Date.now();
  const metricsApi = { owner: 'ours', available: true, since: 0, message: '' } as const;
  const decision = resolveMode({ scaling: model.spec.scaling, metricsApi, now });
  if (withBudget(decision, pool).mode !== 'HPA') return [];
  return [renderHpa({ pool, model, bounds: boundsAt(model.spec.scaling, now) })];
}

function renderAll(found: ManifestFiles, cluster: Cluster): Manifest[] {
  const pools = new Map(found.pools.map((pool) => [manifestKey(pool), pool]));
  const templates = readRouterTemplates();
  return [
    ...[...pools.values()].flatMap((pool) =>
      renderPool({
        pool,
        cluster,
        routerFiles: routerFiles({ pool, trustBundle: NO_CA, templates }),
        redis: { aclHash: NO_PASSWORD },
      }),
    ),
    ...found.models.flatMap((model) => {
      const pool = pools.get(poolKeyOf(model));
      return pool === undefined
        ? []
        : [
            ...renderModel({ pool, model, cluster, claimModes: claimModesOf(found, model) }),
            ...hpaOf(pool, model),
          ];
    }),
  ];
}

/** Several manifests as one YAML stream, long strings unfolded. */
export function toYaml(manifests: readonly object[]): string {
  return manifests
    .map((manifest) => stringify(manifest, { lineWidth: 0, aliasDuplicateObjects: false }))
    .join('---\n');
}

/**
 * Prints the manifests of the pools and models in files. Returns the exit code: 1 with every problem on `fail` and
 * nothing on `write` if one of them could not run.
 */
export function renderFiles(
  files: readonly string[],
  { write, fail }: CommandOutput,
  cluster: Cluster = { operatorNamespace: 'vllm-operator-system' },
): number {
  const found = readManifestFiles(files);
  const problems = [
    ...findProblems(found),
    ...modelsWithoutPool(found).map(
      (model) =>
        `InferenceModel ${manifestKey(model)}: spec.poolRef: there is no InferencePool ${poolKeyOf(model)} in the files; add its file with another -f, or correct the name`,
    ),
  ];
  if (problems.length === 0 && found.pools.length === 0) {
    problems.push(`${files.join(', ')}: no InferencePool in there: name files with pools and their models`);
  }
  for (const problem of problems) fail(`${problem}\n`);
  if (problems.length > 0) return 1;
  write(`${HEADER}${toYaml(renderAll(found, cluster))}`);
  return 0;
}
