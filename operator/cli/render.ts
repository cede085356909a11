/** `vllm-operator render`: prints the manifests that the operator would apply, without a cluster. */
import { stringify } from 'yaml';
import { resolveMode, withBudget } from '../controllers/scaling/mode.ts';
import { type Bounds, boundsAt } from '../model/bounds.ts';
import type { ResolvedModel } from '../model/resolved-model.ts';
import type { Cluster, Manifest } from '../render/manifest.ts';
import { renderModel } from '../render/model.ts';
import { renderPool } from '../render/pool.ts';
import { readRouterTemplates, routerFiles } from '../router/router-files.ts';
import { type AssessedFiles, assessFiles, claimModesOf } from './assess-files.ts';
import { type ManifestFiles, readManifestFiles } from './manifest-files.ts';
import { type CommandOutput, findProblems, problemsOfMissingPools } from './problems.ts';

/** Stand-ins for values that only a running operator has. No password has this hash. */
const NO_PASSWORD = '0'.repeat(64);
const NO_CA = '# the CA of the running operator\n';

const HEADER = `# What vllm-operator applies for these objects. Three things only a running operator knows:
# its CA (operator-ca.crt) and the hash of the Redis password (users.acl), and replicas of the engines.
# HPAs are made where the operator serves external.metrics.k8s.io, with the bounds that schedules give at the time.
`;

/** The bounds of the HPA, assuming that the operator serves the metrics API. Schedules make them depend on the time. */
function hpaOf({ pool, scaling }: ResolvedModel, now: number): Bounds | undefined {
  const metricsApi = { owner: 'ours', available: true, since: 0, message: '' } as const;
  const decision = resolveMode({ scaling, metricsApi, now });
  return withBudget(decision, pool).mode === 'HPA' ? boundsAt(scaling, now) : undefined;
}

function renderAll(
  found: ManifestFiles,
  { models }: AssessedFiles,
  cluster: Cluster,
  now: number,
): Manifest[] {
  const templates = readRouterTemplates();
  return [
    ...found.pools.flatMap((pool) =>
      renderPool({
        pool,
        cluster,
        routerFiles: routerFiles({ pool, trustBundle: NO_CA, templates }),
        redis: { aclHash: NO_PASSWORD },
      }),
    ),
    ...models.flatMap(({ model, assessment }) => {
      if (assessment.kind === 'blocked') return [];
      const claimModes = claimModesOf(found, model.metadata.namespace ?? '');
      const { images = {} } = cluster;
      return renderModel(assessment.model, { claimModes, hpa: hpaOf(assessment.model, now), images });
    }),
  ];
}

/** Several manifests as one YAML stream. Long strings are not folded. */
export function toYaml(manifests: readonly object[]): string {
  return manifests
    .map((manifest) => stringify(manifest, { lineWidth: 0, aliasDuplicateObjects: false }))
    .join('---\n');
}

/**
 * Prints the manifests of the pools and models in files. Returns the exit code. If one of them cannot run, returns 1,
 * writes all problems to `fail`, and writes no manifest.
 */
export function renderFiles(
  files: readonly string[],
  { write, fail }: CommandOutput,
  options: Partial<Cluster> = {},
): number {
  const now = Date.now();
  const cluster = { operatorNamespace: 'vllm-operator-system', ...options };
  const found = readManifestFiles(files);
  const assessed = assessFiles(found, now);
  const problems = [...findProblems(found, assessed), ...problemsOfMissingPools(found)];
  if (problems.length === 0 && found.pools.length === 0) {
    problems.push(`${files.join(', ')}: no InferencePool found; pass files with pools and their models`);
  }
  for (const problem of problems) fail(`${problem}\n`);
  if (problems.length > 0) return 1;
  write(`${HEADER}${toYaml(renderAll(found, assessed, cluster, now))}`);
  return 0;
}
