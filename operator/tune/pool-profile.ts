/** The best settings as a profile of the pool, which its models can name. */
import { stringify } from 'yaml';
import { API_VERSION } from '../api/common.ts';
import type { InferencePool } from '../api/types.ts';
import { validateManifest } from '../api/validate.ts';
import { describeIssues } from '../values/spec-issue.ts';
import { setAt } from './candidate.ts';
import type { Settings } from './profiles.ts';
import { TuneStoppedError } from './tune-stopped-error.ts';

const ENGINE = 'engine.';

/** The profiles of the pool with this one added, or in the place of that of the same name. */
function profilesWith(pool: InferencePool, name: string, settings: Settings) {
  const own = {};
  for (const [path, value] of Object.entries(settings)) {
    if (path.startsWith(ENGINE)) setAt(own, path.slice(ENGINE.length).split('.'), value);
  }
  const others = pool.spec.engine?.profiles ?? [];
  return [...others.filter((other) => other.name !== name), { name, settings: own }];
}

/**
 * A merge patch for the pool, in YAML. It has all profiles, because a merge patch replaces lists. Server-side apply would only
 * need the new one, but `kubectl apply --server-side` takes the fields of a client-side apply over first.
 */
export function profilePatch(pool: InferencePool, name: string, settings: Settings): string {
  const spec = { engine: { profiles: profilesWith(pool, name, settings) } };
  return `# All profiles of the pool as they were at this run, with "${name}".\n${stringify({ spec })}`;
}

/** The command that applies the patch. */
export function profileCommand({ metadata }: InferencePool, file: string): string {
  return `kubectl patch vpool -n ${metadata.namespace} ${metadata.name} --type merge --patch-file ${file}`;
}

/** Stops at a name or settings that no profile can have. */
export function checkProfile(pool: InferencePool, name: string, settings: Settings): void {
  const engine = { profiles: profilesWith(pool, name, settings) };
  const { accelerator } = pool.spec;
  const { metadata } = pool;
  const issues = validateManifest({
    apiVersion: API_VERSION,
    kind: 'InferencePool',
    metadata,
    spec: { accelerator, engine },
  });
  if (issues.length > 0)
    throw new TuneStoppedError(`--profile ${name}: ${describeIssues(issues.slice(0, 1))}`);
}
