import { type LabelSelector, matchesSelector } from '../../../../operator/values/label-selector.ts';
import type { ApiObject } from '../api-object.ts';
import type { Faults } from '../faults.ts';
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
import { labelFaults } from '../object-meta.ts';
import type { Behaviour } from '../resource.ts';
import { defaultTemplate } from './pod-defaults.ts';
import { podSpecFaults } from './pod-validation.ts';

function specOf(object: ApiObject): JsonObject {
  return ensureObject(object, 'spec');
}

/** What is wrong with replicas, selector and template of a workload. */
function workloadFaults(faults: Faults, object: ApiObject, old: ApiObject | undefined): void {
  const spec = specOf(object);
  const replicas = numberAt(spec, 'replicas') ?? 0;
  if (replicas < 0) faults.invalid('replicas', replicas, 'must be greater than or equal to 0');
  const labels = objectAt(spec, 'template', 'metadata', 'labels');
  if (!isObject(spec.selector)) faults.required('selector');
  else if (!matchesSelector(spec.selector as LabelSelector, labels as Record<string, string>))
    faults.invalid('template.metadata.labels', labels, '`selector` does not match template `labels`');
  labelFaults(faults.at('template.labels'), labels);
  podSpecFaults(faults.at('template.spec'), objectAt(spec, 'template', 'spec'));
  if (old && !equal(objectAt(old, 'spec', 'selector'), objectAt(spec, 'selector')))
    faults.invalid('selector', spec.selector, 'field is immutable');
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
  validate(faults, object, old) {
    const at = faults.at('spec');
    workloadFaults(at, object, old);
    const strategy = objectAt(object, 'spec', 'strategy');
    if (strategy.type === 'Recreate' && isObject(strategy.rollingUpdate))
      at.forbidden('strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'");
    const { maxSurge = null, maxUnavailable = null } = objectAt(strategy, 'rollingUpdate');
    const none = (count: Json): boolean => count === 0 || count === '0%';
    if (none(maxSurge) && none(maxUnavailable)) {
      const field = 'strategy.rollingUpdate.maxUnavailable';
      at.invalid(field, maxUnavailable, 'may not be 0 when `maxSurge` is 0');
    }
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
  validate: (faults, object, old) => workloadFaults(faults.at('spec'), object, old),
};
