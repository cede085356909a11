/** The best settings as a profile of the pool, which its models can name. */
import { stringify } from 'yaml';
import type { InferenceModel } from '../api/types.ts';
import { validateManifest } from '../api/validate.ts';
import { describeIssues } from '../values/spec-issue.ts';
import { setAt } from './candidate.ts';
import type { Settings } from './profiles.ts';
import { TuneStoppedError } from './tune-stopped-error.ts';

const ENGINE = 'engine.';

/** What server-side apply needs to add the profile, or to replace that of the same name, and nothing else. */
function manifestOf({ apiVersion, metadata, spec }: InferenceModel, name: string, settings: Settings) {
  const own = {};
  for (const [path, value] of Object.entries(settings)) {
    if (path.startsWith(ENGINE)) setAt(own, path.slice(ENGINE.length).split('.'), value);
  }
  const pool = { name: spec.poolRef.name, namespace: spec.poolRef.namespace ?? metadata.namespace };
  return {
    apiVersion,
    kind: 'InferencePool',
    metadata: pool,
    spec: { engine: { profiles: [{ name, settings: own }] } },
  };
}

/** The manifest of the pool with only the profile in it. */
export function poolProfile(model: InferenceModel, name: string, settings: Settings): string {
  return `# Applied by server-side apply, this adds the profile and leaves the rest of the pool alone.\n${stringify(manifestOf(model, name, settings))}`;
}

/** The command that applies the manifest. Each profile has its own field manager, so that others stay. */
export function profileCommand(name: string, file: string): string {
  return `kubectl apply --server-side --field-manager=tune-${name} -f ${file}`;
}

/** Stops at a name or settings that no profile can have. */
export function checkProfile(model: InferenceModel, name: string, settings: Settings): void {
  const { spec, ...rest } = manifestOf(model, name, settings);
  const issues = validateManifest({ ...rest, spec: { ...spec, accelerator: { type: 'L4' } } });
  if (issues.length > 0)
    throw new TuneStoppedError(`--profile ${name}: ${describeIssues(issues.slice(0, 1))}`);
}
