import { DEFAULTS } from '../values/defaults.ts';
import { InvalidSpecError, type SpecIssue } from '../values/spec-issue.ts';
import { durationSeconds } from '../values/units.ts';
import { CronEdge } from './cron-edge.ts';
import { NO_LIMIT } from './replica-counts.ts';
import type { ResolvedScaling, ScalingSpec, Schedule } from './resolved-scaling.ts';

/** Resolves `spec.scaling`. If one schedule has issues, all of them are ignored. */
export function resolveScaling(spec: ScalingSpec | undefined): {
  scaling: ResolvedScaling;
  issues: SpecIssue[];
} {
  if (!spec) return { scaling: { kind: 'Fixed', replicas: DEFAULTS.scaling.minReplicas }, issues: [] };
  const written = spec.schedules ?? [];
  const issues = written.flatMap(issuesOf);
  const schedules = issues.length === 0 ? written : [];
  return { scaling: withSchedules(spec, schedules), issues };
}

function withSchedules(spec: ScalingSpec, schedules: readonly Schedule[]): ResolvedScaling {
  const { mode = DEFAULTS.scaling.mode, replicas, idleTimeout = DEFAULTS.scaling.idleTimeout } = spec;
  const sleep = { schedules, idleTimeout, idleTimeoutMs: durationSeconds(idleTimeout) * 1_000 };
  if (mode === 'External') {
    const number = replicas ?? DEFAULTS.scaling.minReplicas;
    return {
      kind: 'External',
      ...sleep,
      replicas: number,
      // Without a minimum, writing 0 to the scale subresource puts the model to sleep.
      minReplicas: spec.minReplicas ?? Math.min(DEFAULTS.scaling.minReplicas, number),
      maxReplicas: spec.maxReplicas ?? NO_LIMIT,
      isBounded: spec.maxReplicas !== undefined,
    };
  }
  if (replicas !== undefined) return { kind: 'Fixed', replicas };
  const { minReplicas = DEFAULTS.scaling.minReplicas, maxReplicas = Math.max(1, minReplicas) } = spec;
  const { target, behavior = {} } = spec;
  return { kind: 'Range', ...sleep, by: mode, minReplicas, maxReplicas, target, behavior };
}

/** Issues of expressions and time zones that match the schema but do not exist. */
function issuesOf({ name, start, end, timeZone }: Schedule): SpecIssue[] {
  const field = `spec.scaling.schedules[${name}]`;
  const found = [
    ...issuesIn(() => new CronEdge(field, 'start', start, timeZone)),
    ...issuesIn(() => new CronEdge(field, 'end', end, timeZone)),
  ];
  // Both edges report an invalid time zone.
  return found.filter((issue, at) => found.findIndex((other) => other.field === issue.field) === at);
}

function issuesIn(make: () => unknown): readonly SpecIssue[] {
  try {
    make();
    return [];
  } catch (error) {
    if (!(error instanceof InvalidSpecError)) throw error;
    return error.issues;
  }
}
