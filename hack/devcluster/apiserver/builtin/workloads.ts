import type { ApiObject } from '../api-object.ts';
import {
  ensureObject,
  equal,
  isObject,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  setDefault,
  stringAt,
} from '../json.ts';
import { fieldInvalid, fieldRequired, validateLabelMap } from '../object-meta.ts';
import type { Behaviour } from '../resource.ts';
import { matcherOf } from '../selector.ts';
import type { Cause } from '../status-error.ts';
import { defaultTemplate } from './pod-defaults.ts';
import { validatePodSpec } from './pod-validation.ts';

function specOf(object: ApiObject): JsonObject {
  return ensureObject(object, 'spec');
}

function validateWorkload(object: ApiObject, old: ApiObject | undefined, withSelector = true): Cause[] {
  const spec = specOf(object);
  const causes: Cause[] = [];
  const replicas = numberAt(spec, 'replicas');
  if (replicas !== undefined && replicas < 0)
    causes.push(fieldInvalid('spec.replicas', replicas, 'must be greater than or equal to 0'));
  const labels = objectAt(spec, 'template', 'metadata', 'labels');
  if (withSelector) {
    if (!isObject(spec.selector)) causes.push(fieldRequired('spec.selector'));
    else if (!matcherOf(spec.selector)(labels as Record<string, string>)) {
      causes.push(
        fieldInvalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'),
      );
    }
  }
  causes.push(...validateLabelMap(labels, 'spec.template.labels'));
  causes.push(...validatePodSpec(objectAt(spec, 'template', 'spec'), 'spec.template.spec'));
  const before = old === undefined ? undefined : objectAt(old, 'spec').selector;
  if (withSelector && before !== undefined && !equal(before, spec.selector)) {
    causes.push(fieldInvalid('spec.selector', spec.selector ?? null, 'field is immutable'));
  }
  return causes;
}

/** Deployments: rolling update with a quarter of the pods, ten old revisions, ten minutes to progress. */
export const DEPLOYMENTS: Behaviour = {
  default(object) {
    const spec = specOf(object);
    defaultTemplate(spec);
    setDefault(spec, 'replicas', 1);
    setDefault(spec, 'revisionHistoryLimit', 10);
    setDefault(spec, 'progressDeadlineSeconds', 600);
    const strategy = ensureObject(spec, 'strategy');
    setDefault(strategy, 'type', 'RollingUpdate');
    if (strategy.type === 'RollingUpdate') {
      const update = ensureObject(strategy, 'rollingUpdate');
      setDefault(update, 'maxUnavailable', '25%');
      setDefault(update, 'maxSurge', '25%');
    }
  },
  validate(object, old) {
    const causes = validateWorkload(object, old);
    const strategy = objectAt(object, 'spec', 'strategy');
    if (strategy.type === 'Recreate' && isObject(strategy.rollingUpdate)) {
      causes.push({
        reason: 'FieldValueForbidden',
        field: 'spec.strategy.rollingUpdate',
        message: "Forbidden: may not be specified when strategy `type` is 'Recreate'",
      });
    }
    return causes;
  },
};

/** ReplicaSets. */
export const REPLICA_SETS: Behaviour = {
  default(object) {
    const spec = specOf(object);
    setDefault(spec, 'replicas', 1);
    defaultTemplate(spec);
  },
  zero: (object) => setDefault(ensureObject(object, 'status'), 'replicas', 0),
  validate: (object, old) => validateWorkload(object, old),
};

/** StatefulSets. */
export const STATEFUL_SETS: Behaviour = {
  default(object) {
    const spec = specOf(object);
    defaultTemplate(spec);
    setDefault(spec, 'replicas', 1);
    setDefault(spec, 'podManagementPolicy', 'OrderedReady');
    setDefault(spec, 'revisionHistoryLimit', 10);
    setDefault(spec, 'persistentVolumeClaimRetentionPolicy', { whenDeleted: 'Retain', whenScaled: 'Retain' });
    const update = ensureObject(spec, 'updateStrategy');
    setDefault(update, 'type', 'RollingUpdate');
    if (update.type === 'RollingUpdate') setDefault(ensureObject(update, 'rollingUpdate'), 'partition', 0);
  },
  validate: (object, old) => validateWorkload(object, old),
};

/** DaemonSets. */
export const DAEMON_SETS: Behaviour = {
  default(object) {
    const spec = specOf(object);
    defaultTemplate(spec);
    setDefault(spec, 'revisionHistoryLimit', 10);
    const update = ensureObject(spec, 'updateStrategy');
    setDefault(update, 'type', 'RollingUpdate');
    if (update.type === 'RollingUpdate') {
      const rolling = ensureObject(update, 'rollingUpdate');
      setDefault(rolling, 'maxUnavailable', 1);
      setDefault(rolling, 'maxSurge', 0);
    }
  },
  validate: (object, old) => validateWorkload(object, old),
};

function defaultJobSpec(spec: JsonObject): void {
  defaultTemplate(spec);
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  setDefault(spec, 'parallelism', 1);
  setDefault(spec, 'backoffLimit', 6);
  setDefault(spec, 'completionMode', 'NonIndexed');
  setDefault(spec, 'suspend', false);
  setDefault(spec, 'podReplacementPolicy', 'TerminatingOrFailed');
}

/** Jobs: the server picks a selector by the job's uid. */
export const JOBS: Behaviour = {
  default: (object) => defaultJobSpec(specOf(object)),
  prepare(object, old) {
    const spec = specOf(object);
    if (old || spec.manualSelector === true) return;
    const uid = object.metadata.uid ?? '';
    const metadata = ensureObject(ensureObject(spec, 'template'), 'metadata');
    const labels = ensureObject(metadata, 'labels');
    Object.assign(labels, {
      'batch.kubernetes.io/controller-uid': uid,
      'batch.kubernetes.io/job-name': object.metadata.name,
      'controller-uid': uid,
      'job-name': object.metadata.name,
    });
    spec.selector = { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } };
  },
  validate: (object, old) => validateWorkload(object, old),
};

/** CronJobs. */
export const CRON_JOBS: Behaviour = {
  default(object) {
    const spec = specOf(object);
    setDefault(spec, 'concurrencyPolicy', 'Allow');
    setDefault(spec, 'suspend', false);
    setDefault(spec, 'successfulJobsHistoryLimit', 3);
    setDefault(spec, 'failedJobsHistoryLimit', 1);
    defaultJobSpec(ensureObject(ensureObject(spec, 'jobTemplate'), 'spec'));
  },
  validate(object) {
    return stringAt(object, 'spec', 'schedule') === '' ? [fieldRequired('spec.schedule')] : [];
  },
};

/** HorizontalPodAutoscalers, version 2. */
export const AUTOSCALERS: Behaviour = {
  default(object) {
    const spec = specOf(object);
    setDefault(spec, 'minReplicas', 1);
    if (object.apiVersion !== 'autoscaling/v2') return;
    if (objectsAt(spec, 'metrics').length === 0) {
      spec.metrics = [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
        },
      ];
    }
    if (isObject(spec.behavior)) defaultScalingBehavior(spec.behavior);
  },
  zero(object) {
    const status = ensureObject(object, 'status');
    setDefault(status, 'desiredReplicas', 0);
    if (object.apiVersion === 'autoscaling/v2' && status.currentMetrics === undefined)
      status.currentMetrics = null;
  },
  validate(object) {
    const causes: Cause[] = [];
    const min = numberAt(object, 'spec', 'minReplicas') ?? 1;
    const max = numberAt(object, 'spec', 'maxReplicas') ?? 0;
    if (min < 1) causes.push(fieldInvalid('spec.minReplicas', min, 'must be greater than or equal to 1'));
    if (max < 1) causes.push(fieldRequired('spec.maxReplicas', 'must be set and greater than 0'));
    if (max < min)
      causes.push(fieldInvalid('spec.maxReplicas', max, 'must be greater than or equal to `minReplicas`'));
    if (stringAt(object, 'spec', 'scaleTargetRef', 'kind') === '')
      causes.push(fieldRequired('spec.scaleTargetRef.kind'));
    if (stringAt(object, 'spec', 'scaleTargetRef', 'name') === '')
      causes.push(fieldRequired('spec.scaleTargetRef.name'));
    return causes;
  },
};

function defaultScalingBehavior(behavior: JsonObject): void {
  const up = ensureObject(behavior, 'scaleUp');
  setDefault(up, 'stabilizationWindowSeconds', 0);
  setDefault(up, 'selectPolicy', 'Max');
  setDefault(up, 'policies', [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ]);
  const down = ensureObject(behavior, 'scaleDown');
  setDefault(down, 'selectPolicy', 'Max');
  setDefault(down, 'policies', [{ type: 'Percent', value: 100, periodSeconds: 15 }]);
}
