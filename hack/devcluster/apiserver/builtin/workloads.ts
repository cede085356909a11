import { type LabelSelector, matchesSelector } from '../../../../operator/values/label-selector.ts';
import type { ApiObject } from '../api-object.ts';
import {
  ensureObject,
  equal,
  isObject,
  type Json,
  type JsonObject,
  numberAt,
  objectAt,
  setDefault,
} from '../json.ts';
import { fieldInvalid, fieldRequired, validateLabelMap } from '../object-meta.ts';
import type { Behaviour } from '../resource.ts';
import type { Cause } from '../status-error.ts';
import { defaultTemplate } from './pod-defaults.ts';
import { validatePodSpec } from './pod-validation.ts';

function specOf(object: ApiObject): JsonObject {
  return ensureObject(object, 'spec');
}

/** What is wrong with replicas, selector and template of a workload. */
export function validateWorkload(
  object: ApiObject,
  old: ApiObject | undefined,
  withSelector = true,
): Cause[] {
  const spec = specOf(object);
  const causes: Cause[] = [];
  const replicas = numberAt(spec, 'replicas');
  if (replicas !== undefined && replicas < 0)
    causes.push(fieldInvalid('spec.replicas', replicas, 'must be greater than or equal to 0'));
  const labels = objectAt(spec, 'template', 'metadata', 'labels');
  if (withSelector) {
    if (!isObject(spec.selector)) causes.push(fieldRequired('spec.selector'));
    else if (!matchesSelector(spec.selector as LabelSelector, labels as Record<string, string>)) {
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
    const { maxSurge = null, maxUnavailable = null } = objectAt(strategy, 'rollingUpdate');
    const none = (count: Json): boolean => count === 0 || count === '0%';
    if (none(maxSurge) && none(maxUnavailable)) {
      const field = 'spec.strategy.rollingUpdate.maxUnavailable';
      causes.push(fieldInvalid(field, maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
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
