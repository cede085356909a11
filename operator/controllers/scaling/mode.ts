/** Decides what scales a model between one replica and the maximum, and the condition that reports it. Pure. */
import { modelConditions, type ReasonWithStatus } from '../../api/condition-set.ts';
import type { MODEL_CONDITIONS } from '../../api/conditions.ts';
import type { InferencePool } from '../../api/types.ts';
import type { ConditionUpdate } from '../../kube/conditions.ts';
import type { ApiServiceState } from '../../metrics-api/api-service.ts';
import { leavesNoChoice } from '../../model/replica-counts.ts';
import type { RangeScaling, ResolvedScaling } from '../../model/resolved-scaling.ts';

/** `Fixed`: the number of replicas does not change. */
export type ScalingMode = 'Fixed' | 'HPA' | 'Internal' | 'External';

/** A condition of an existing HorizontalPodAutoscaler. */
export interface HpaCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export interface ModeInput {
  scaling: ResolvedScaling;
  /** Who serves the external metrics API. */
  metricsApi: ApiServiceState;
  /** Conditions of the model's HPA: undefined if it has no HPA, empty if the HPA has no conditions yet. */
  hpa?: readonly HpaCondition[] | undefined;
  /**
   * Since when this process has not seen the metrics API settled, in milliseconds since 1970; undefined while it is
   * settled.
   */
  unsettledSince?: number | undefined;
  /** Milliseconds since 1970. */
  now: number;
}

const { condition } = modelConditions;

export interface ModeDecision {
  mode: ScalingMode;
  /** The condition ScalingReady. */
  condition: ConditionUpdate;
  /** When the decision can change although nothing else does, in milliseconds from now. */
  requeueAfterMs?: number;
}

/**
 * Problems are ignored until they have lasted this long: a new leader takes up to 15 s, kube-proxy and the availability
 * check of the API server up to 30 s more, and an HPA polls every 15 s. Meanwhile the replicas stay as they are.
 */
const PATIENCE_MS = 120_000;

/** Decides the mode in force. `Auto` never takes the metrics API away from another server. */
export function resolveMode(input: ModeInput): ModeDecision {
  const { scaling } = input;
  if (scaling.kind === 'External')
    return ready(
      'External',
      'External',
      'replicas follow the scale subresource of the model, within the bounds',
    );
  if (scaling.kind === 'Fixed') return ready('Fixed', 'FixedReplicas', 'the number of replicas is fixed');
  if (leavesNoChoice(scaling)) return ready('Fixed', 'FixedReplicas', fixedMessage(scaling));
  if (scaling.by === 'Internal')
    return ready('Internal', 'Internal', "the operator's autoscaler scales, as set in spec.scaling.mode");
  return kept(input) ?? (scaling.by === 'HPA' ? explicitHpa(input) : automatic(input));
}

/** Applies the budget of the pool. With overcommit every new replica needs a grant, and an HPA does not request grants. */
export function withBudget(decision: ModeDecision, pool: InferencePool): ModeDecision {
  const { overcommit, accelerators, namespaceQuotas = [] } = pool.spec.capacity;
  const isBounded = accelerators !== undefined || namespaceQuotas.length > 0;
  if (decision.mode !== 'HPA' || !overcommit || !isBounded) return decision;
  return internal(`pool ${pool.metadata.name} is overcommitted, and an HPA ignores its budget`);
}

function fixedMessage({ minReplicas }: RangeScaling): string {
  return minReplicas === 0 ? 'one replica while it is awake' : 'the number of replicas is fixed';
}

/** Whether it is certain that HPAs get values from this operator, or that they do not. */
export function isSettled(metricsApi: ApiServiceState): boolean {
  const { owner } = metricsApi;
  return owner === 'foreign' || owner === 'off' || (owner === 'ours' && metricsApi.available === true);
}

/**
 * Keeps an existing HPA for a while: a new leader knows nothing at first, or finds the previous one unreachable. An HPA that
 * is deleted and created again loses its history.
 */
function kept(input: ModeInput): ModeDecision | undefined {
  if (input.hpa === undefined || isSettled(input.metricsApi)) return undefined;
  const left = patience(input.unsettledSince, input.now);
  return left > 0 ? { ...hpa(input), requeueAfterMs: left } : undefined;
}

function automatic(input: ModeInput): ModeDecision {
  const { metricsApi, now } = input;
  switch (metricsApi.owner) {
    case 'foreign':
      return internal(`external.metrics.k8s.io is served by ${metricsApi.by}`);
    case 'absent':
      return internal('external.metrics.k8s.io is not registered yet');
    case 'unknown':
    case 'off':
      return internal(metricsApi.message);
    case 'ours': {
      if (metricsApi.available === undefined)
        return internal('the API server has not reached the metrics API yet');
      if (metricsApi.available) return hpa(input);
      const left = patience(metricsApi.since, now);
      if (left <= 0) return internal(`the API server cannot reach the metrics API: ${metricsApi.message}`);
      return { ...hpa(input), requeueAfterMs: left };
    }
  }
}

/** With `mode: HPA` the model gets an HPA in any case, and the condition reports why it does not work. */
function explicitHpa(input: ModeInput): ModeDecision {
  const { metricsApi, now } = input;
  switch (metricsApi.owner) {
    case 'foreign':
      return unavailable(
        `external.metrics.k8s.io is served by ${metricsApi.by}, so the HPA gets no metric and does not change the replicas; set spec.scaling.mode to Auto or Internal`,
      );
    case 'absent':
      return unavailable(
        'external.metrics.k8s.io is not registered yet, so the HPA does not change the replicas',
      );
    case 'unknown':
    case 'off':
      return unavailable(`${metricsApi.message}; set spec.scaling.mode to Auto or Internal`);
    case 'ours': {
      if (metricsApi.available) return hpa(input);
      const left = metricsApi.available === undefined ? 0 : patience(metricsApi.since, now);
      if (left > 0) return { ...hpa(input), requeueAfterMs: left };
      const found = metricsApi.message || 'not checked yet';
      return unavailable(`the API server cannot reach the metrics API of the operator: ${found}`);
    }
  }
}

/** The HPA scales. It reports its own problems, but at zero replicas it is disabled by design. */
function hpa({ hpa: conditions = [], now }: ModeInput): ModeDecision {
  const good = ready('HPA', 'HPA', 'a HorizontalPodAutoscaler scales');
  const trouble = conditions.find(
    ({ type, status, reason }) =>
      (type === 'ScalingActive' || type === 'AbleToScale') &&
      status === 'False' &&
      reason !== 'ScalingDisabled',
  );
  if (!trouble) return good;
  const since = Date.parse(trouble.lastTransitionTime ?? '');
  const left = patience(Number.isNaN(since) ? undefined : since, now);
  if (left > 0) return { ...good, requeueAfterMs: left };
  return unavailable(
    `the HPA does not change the replicas: ${trouble.reason ?? trouble.type}: ${trouble.message ?? ''}`,
  );
}

function patience(since: number | undefined, now: number): number {
  return since === undefined ? 0 : since + PATIENCE_MS - now;
}

function internal(because: string): ModeDecision {
  return ready('Internal', 'Internal', `the operator's autoscaler scales, because ${because}`);
}

function unavailable(message: string): ModeDecision {
  return { mode: 'HPA', condition: condition('ScalingReady', 'HPAMetricsUnavailable', message) };
}

function ready(
  mode: ScalingMode,
  reason: ReasonWithStatus<typeof MODEL_CONDITIONS, 'ScalingReady', 'True'>,
  message: string,
): ModeDecision {
  return { mode, condition: condition('ScalingReady', reason, message) };
}
