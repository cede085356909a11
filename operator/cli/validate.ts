/** `vllm-operator validate`: the checks of the API server and the operator, without a cluster. */
import { API_VERSION } from '../api/common.ts';
import { inferencePoolSpec } from '../api/inference-pool.ts';
import type { InferenceModel, InferencePool } from '../api/types.ts';
import { poolKeyOf } from '../model/pool-key.ts';
import type { SpecIssue } from '../values/spec-issue.ts';
import { formatVersion, PINNED_VERSION } from '../vllm/versions.ts';
import { assessFiles, assessIn } from './assess-files.ts';
import { type ManifestFiles, manifestKey, readManifestFiles } from './manifest-files.ts';
import { type CommandOutput, findProblems, linesOf, modelsWithoutPool, warningsOf } from './problems.ts';

/** What a profile that only the pool has may be called. Those of the operator have capital letters. */
const OWN_PROFILE = /^[-a-z0-9]+$/;

/** A stand-in for an unknown pool, with room for every model, the longest queue and any profile. */
function anyPool(model: InferenceModel): InferencePool {
  const { profile = '' } = model.spec.engine ?? {};
  const profiles = OWN_PROFILE.test(profile) ? [{ name: profile, settings: {} }] : [];
  const { tensorParallelSize = 1, pipelineParallelSize = 1, dataParallelSize = 1 } = model.spec.engine ?? {};
  const count = tensorParallelSize * pipelineParallelSize * dataParallelSize;
  const custom = { resourceName: 'example.com/any', count: Math.min(64, count), memoryGiB: 4096 };
  return {
    apiVersion: API_VERSION,
    kind: 'InferencePool',
    metadata: { name: model.spec.poolRef.name },
    spec: inferencePoolSpec.parse({
      accelerator: { type: 'custom', custom },
      engine: { profiles },
      admission: { maxQueue: 100_000 },
    }),
  };
}

/** Issues that no pool can fix. Uses vLLM's default version if the model has none. */
export function issuesOfAlone(
  model: InferenceModel,
  found: ManifestFiles,
  now: number,
): readonly SpecIssue[] {
  const assessment = assessIn(anyPool(model), model, found, now);
  return assessment.kind === 'blocked' && assessment.why.condition !== 'MemoryFit' ? assessment.issues : [];
}

function warning(model: InferenceModel): string {
  const version = model.spec.engine?.image ?? model.spec.engine?.version;
  const flags = version === undefined ? `; flags were checked for vLLM ${formatVersion(PINNED_VERSION)}` : '';
  return (
    `warning: InferenceModel ${manifestKey(model)}: InferencePool ${poolKeyOf(model)} is not in the files, so memory, ` +
    `parallel sizes, budget and admission were not checked${flags}; add the pool with --pool FILE, or ` +
    `pipe \`kubectl get vpool NAME -o yaml\` into --pool -`
  );
}

/** Pools that another team owns. Only problems of the pools themselves count. */
function readPools(files: readonly string[]): Pick<ManifestFiles, 'pools' | 'namespaces' | 'problems'> {
  const read = files.map((file) => ({ file, ...readManifestFiles([file]) }));
  return {
    pools: read.flatMap(({ pools }) => pools),
    namespaces: new Map(read.flatMap(({ namespaces }) => [...namespaces])),
    problems: read.flatMap(({ file, pools, problems }) =>
      pools.length > 0 ? [] : [...problems, `${file}: no InferencePool found; pass a file with the pool`],
    ),
  };
}

function count(objects: readonly unknown[], name: string): string {
  return `${objects.length} ${name}${objects.length === 1 ? '' : 's'}`;
}

/**
 * Prints all problems with file, object, field, value, reason and remedy, and a warning for each model whose pool is
 * neither in `files` nor in `poolFiles`. Returns 0 if there is no problem, else 1. Also returns 1 if the files contain
 * neither kind, because a wrong path or API group would otherwise go unnoticed.
 */
export function validateFiles(
  files: readonly string[],
  { write, fail }: CommandOutput,
  poolFiles: readonly string[] = [],
): number {
  const own = readManifestFiles(files);
  const others = readPools(poolFiles);
  const all: ManifestFiles = {
    pools: [...own.pools, ...others.pools],
    models: own.models,
    namespaces: new Map([...others.namespaces, ...own.namespaces]),
    claims: own.claims,
    problems: [...own.problems, ...others.problems],
  };
  if (own.pools.length + own.models.length + all.problems.length === 0) {
    fail(
      `${files.join(', ')}: no InferencePool or InferenceModel of ${API_VERSION} found; pass files with pools or models\n`,
    );
    return 1;
  }
  const alone = modelsWithoutPool(all);
  const now = Date.now();
  const assessed = assessFiles(all, now);
  const problems = [
    ...findProblems(all, assessed),
    ...alone.flatMap((model) => linesOf(model, issuesOfAlone(model, all, now))),
  ];
  for (const line of [...alone.map(warning), ...warningsOf(assessed)]) fail(`${line}\n`);
  for (const problem of problems) fail(`${problem}\n`);
  if (problems.length > 0) return 1;
  write(`${count(own.pools, 'pool')} and ${count(own.models, 'model')} are valid\n`);
  return 0;
}
