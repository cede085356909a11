/** Who moves a model between one replica and the most, and what to say about it. Pure. */

import { modelConditions, type TellingReason } from '../../api/condition-set.ts';
import type { MODEL_CONDITIONS } from '../../api/conditions.ts';
import type { InferencePool } from '../../api/types.ts';
import type { ConditionUpdate } from '../../kube/conditions.ts';
import type { ApiServiceState } from '../../metrics-api/api-service.ts';
import { leavesNoChoice } from '../../model/replica-counts.ts';
import type { RangeScaling, ResolvedScaling } from '../../model/resolved-scaling.ts';

/** `Fixed`: nobody, there is nothing to decide. */
export type ScalingMode = 'Fixed' | 'HPA' | 'Internal' | 'External';

/** A condition of a live HorizontalPodAutoscaler. */
export interface HpaCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export interface ModeInput {
  scaling: ResolvedScaling;
  /** Whose the external metrics API is. */
  metricsApi: ApiServiceState;
  /** Conditions of the model's HPA, where it has one; none yet is an empty list. */
  hpa?: readonly HpaCondition[] | undefined;
  /** Since when this process has not seen the metrics API settled, in milliseconds since 1970; absent while it is. */
  unsettledSince?: number | undefined;
  /** Milliseconds since 1970. */
  now: number;
}

const { say } = modelConditions;

export interface ModeDecision {
  mode: ScalingMode;
  /** For the condition ScalingReady. */
  condition: ConditionUpdate;
  /** When the answer can become another although nothing else changes, in milliseconds from now. */
  lookAgainMs?: number;
}

/**
 * Trouble that is younger than this is passed over: a new leader takes up to 15 s, kube-proxy and the API server's check
 * up to 30 s more, and an HPA asks every 15 s. Replicas stay as they are meanwhile.
 */
const PATIENCE_MS = 120_000;

/** Decides the mode in force. `Auto` never fights for the metrics API: what is someone else's is left alone. */
export function resolveMode(input: ModeInput): ModeDecision {
  const { scaling } = input;
  if (scaling.kind === 'External')
    return ready('External', 'External', 'replicas are whatever is written to /scale, within the bounds');
  if (scaling.kind === 'Fixed') return ready('Fixed', 'FixedReplicas', 'a fixed number of replicas');
  if (leavesNoChoice(scaling)) return ready('Fixed', 'FixedReplicas', fixedMessage(scaling));
  if (scaling.by === 'Internal')
    return ready('Internal', 'Internal', "the operator's own loop scales, as spec.scaling.mode says");
  return kept(input) ?? (scaling.by === 'HPA' ? explicitHpa(input) : automatic(input));
}

/** The decision in its pool: an overcommitted one needs every new replica to be granted, which an HPA does not ask for. */
export function withBudget(decision: ModeDecision, pool: InferencePool): ModeDecision {
  const { overcommit, accelerators, namespaceQuotas = [] } = pool.spec.capacity;
  const isBounded = accelerators !== undefined || namespaceQuotas.length > 0;
  if (decision.mode !== 'HPA' || !overcommit || !isBounded) return decision;
  return internal(`pool ${pool.metadata.name} is overcommitted and an HPA does not ask its budget`);
}

function fixedMessage({ minReplicas }: RangeScaling): string {
  return minReplicas === 0 ? 'one replica while it is awake' : 'a fixed number of replicas';
}

/** Whether HPAs get values from us, or for certain do not. */
export function isSettled(metricsApi: ApiServiceState): boolean {
  const { owner } = metricsApi;
  return owner === 'foreign' || owner === 'off' || (owner === 'ours' && metricsApi.available === true);
}

/**
 * An HPA that there is stays for a while: a new leader knows nothing at first, or finds that the one before it cannot be
 * reached. To delete it and make it anew would lose what it remembers.
 */
function kept(input: ModeInput): ModeDecision | undefined {
  if (input.hpa === undefined || isSettled(input.metricsApi)) return undefined;
  const left = patience(input.unsettledSince, input.now);
  return left > 0 ? { ...hpa(input), lookAgainMs: left } : undefined;
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
      return { ...hpa(input), lookAgainMs: left };
    }
  }
}

/** Who asks for the HPA by name gets it, and is told why it does not work. */
function explicitHpa(input: ModeInput): ModeDecision {
  const { metricsApi, now } = input;
  switch (metricsApi.owner) {
    case 'foreign':
      return unavailable(
        `external.metrics.k8s.io is served by ${metricsApi.by}, so the HPA gets no value and keeps the replicas; set spec.scaling.mode to Auto or Internal`,
      );
    case 'absent':
      return unavailable('external.metrics.k8s.io is not registered yet, so the HPA keeps the replicas');
    case 'unknown':
    case 'off':
      return unavailable(`${metricsApi.message}; set spec.scaling.mode to Auto or Internal`);
    case 'ours': {
      if (metricsApi.available) return hpa(input);
      const left = metricsApi.available === undefined ? 0 : patience(metricsApi.since, now);
      if (left > 0) return { ...hpa(input), lookAgainMs: left };
      const found = metricsApi.message || 'it has not tried yet';
      return unavailable(`the API server cannot reach the metrics API of the operator: ${found}`);
    }
  }
}

/** The HPA is in charge. It reports trouble of its own, but at zero replicas it pauses by design. */
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
  if (left > 0) return { ...good, lookAgainMs: left };
  return unavailable(
    `the HPA keeps the replicas: ${trouble.reason ?? trouble.type}: ${trouble.message ?? ''}`,
  );
}

function patience(since: number | undefined, now: number): number {
  return since === undefined ? 0 : since + PATIENCE_MS - now;
}

function internal(because: string): ModeDecision {
  return ready('Internal', 'Internal', `the operator's own loop scales, because ${because}`);
}

function unavailable(message: string): ModeDecision {
  return { mode: 'HPA', condition: say('ScalingReady', 'HPAMetricsUnavailable', message) };
}

function ready(
  mode: ScalingMode,
  reason: TellingReason<typeof MODEL_CONDITIONS, 'ScalingReady', 'True'>,
  message: string,
): ModeDecision {
  return { mode, condition: say('ScalingReady', reason, message) };
}
