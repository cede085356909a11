import type { HorizontalPodAutoscaler, ScalingRules } from '../kinds.ts';

/** What an autoscaler remembers between two syncs. Times in milliseconds. */
export interface ScalingHistory {
  recommendations: { replicas: number; at: number }[];
  /** Positive when replicas were added. */
  changes: { by: number; at: number }[];
}

/** A number of replicas, and the limit that made it differ from what the metrics require. */
export interface NormalizedReplicas {
  replicas: number;
  stabilized?: 'ScaleUpStabilized' | 'ScaleDownStabilized';
  limited?: {
    reason: 'TooManyReplicas' | 'TooFewReplicas' | 'ScaleUpLimit' | 'ScaleDownLimit';
    message: string;
  };
}

/** Defaults of autoscaling/v2 for what an autoscaler leaves out. */
const UP: Required<Omit<ScalingRules, 'tolerance'>> = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
};
const DOWN: Required<Omit<ScalingRules, 'tolerance'>> = {
  stabilizationWindowSeconds: 300,
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
};

/**
 * Applies stabilization windows, rate policies and bounds to the proposal of the metrics, and records it in the history
 * (k8s.io/kubernetes/pkg/controller/podautoscaler, normalizeDesiredReplicasWithBehaviors).
 */
export function normalizeReplicas(
  autoscaler: HorizontalPodAutoscaler,
  history: ScalingHistory,
  current: number,
  desired: number,
  now: number,
): NormalizedReplicas {
  const { behavior, minReplicas = 1, maxReplicas } = autoscaler.spec;
  const up = { ...UP, ...behavior?.scaleUp };
  const down = { ...DOWN, ...behavior?.scaleDown };
  if (history.recommendations.length === 0) history.recommendations.push({ replicas: current, at: now });
  const stable = stabilize(history, up, down, current, desired, now);
  const limited = limitRate(history, { up, down, minReplicas, maxReplicas }, current, stable, now);
  const stabilized =
    stable === desired
      ? undefined
      : stable > desired
        ? ('ScaleDownStabilized' as const)
        : ('ScaleUpStabilized' as const);
  return { ...limited, ...(stabilized ? { stabilized } : {}) };
}

function stabilize(
  history: ScalingHistory,
  up: { stabilizationWindowSeconds: number },
  down: { stabilizationWindowSeconds: number },
  current: number,
  desired: number,
  now: number,
): number {
  const within = (seconds: number): number[] =>
    history.recommendations.filter(({ at }) => at > now - seconds * 1000).map(({ replicas }) => replicas);
  const lowest = Math.min(desired, ...within(up.stabilizationWindowSeconds));
  const highest = Math.max(desired, ...within(down.stabilizationWindowSeconds));
  const longest = Math.max(up.stabilizationWindowSeconds, down.stabilizationWindowSeconds);
  history.recommendations = history.recommendations.filter(({ at }) => at > now - longest * 1000);
  history.recommendations.push({ replicas: desired, at: now });
  return Math.min(Math.max(current, lowest), highest);
}

function limitRate(
  history: ScalingHistory,
  rules: { up: typeof UP; down: typeof DOWN; minReplicas: number; maxReplicas: number },
  current: number,
  wanted: number,
  now: number,
): NormalizedReplicas {
  const { minReplicas, maxReplicas } = rules;
  history.changes = history.changes.filter(({ at }) => at > now - 1_800_000);
  if (wanted > current) {
    const limit = Math.max(current, rateLimit(history, rules.up, current, now, 1));
    if (wanted > Math.min(limit, maxReplicas)) {
      return limit < maxReplicas
        ? limitedTo(
            limit,
            'ScaleUpLimit',
            'the desired replica count is increasing faster than the maximum scale rate',
          )
        : limitedTo(
            maxReplicas,
            'TooManyReplicas',
            'the desired replica count is more than the maximum replica count',
          );
    }
  } else if (wanted < current) {
    const limit = Math.min(current, rateLimit(history, rules.down, current, now, -1));
    if (wanted < Math.max(limit, minReplicas)) {
      return limit > minReplicas
        ? limitedTo(
            limit,
            'ScaleDownLimit',
            'the desired replica count is decreasing faster than the maximum scale rate',
          )
        : limitedTo(
            minReplicas,
            'TooFewReplicas',
            'the desired replica count is less than the minimum replica count',
          );
    }
  }
  return { replicas: Math.min(Math.max(wanted, minReplicas), maxReplicas) };
}

/** How far one of the directions may go now, by the policy that is chosen. */
function rateLimit(
  history: ScalingHistory,
  rules: typeof UP,
  current: number,
  now: number,
  direction: 1 | -1,
): number {
  if (rules.selectPolicy === 'Disabled') return current;
  const limits = rules.policies.map(({ type, value, periodSeconds }) => {
    const recent = history.changes.filter(({ at }) => at > now - periodSeconds * 1000);
    const start = current - recent.reduce((sum, { by }) => sum + by, 0);
    if (type === 'Pods') return start + direction * value;
    const scaled = start * (1 + (direction * value) / 100);
    return direction > 0 ? Math.ceil(scaled) : Math.floor(scaled);
  });
  const farthest = direction > 0 ? Math.max(...limits) : Math.min(...limits);
  const nearest = direction > 0 ? Math.min(...limits) : Math.max(...limits);
  return rules.selectPolicy === 'Min' ? nearest : farthest;
}

function limitedTo(
  replicas: number,
  reason: NonNullable<NormalizedReplicas['limited']>['reason'],
  message: string,
): NormalizedReplicas {
  return { replicas, limited: { reason, message } };
}
