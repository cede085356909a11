import { ensureObject, equal, isObject, objectAt, setDefault } from '../json.ts';
import { fieldInvalid, generateName } from '../object-meta.ts';
import type { Behaviour } from '../resource.ts';
import { admitPodSpec, defaultPodSpec, qosClass } from './pod-defaults.ts';
import { validatePodSpec } from './pod-validation.ts';

/** Pod fields that an update of the pod itself may change. */
const MUTABLE = new Set([
  'containers',
  'initContainers',
  'activeDeadlineSeconds',
  'tolerations',
  'terminationGracePeriodSeconds',
  'schedulingGates',
  'nodeName',
  'ephemeralContainers',
]);

/** Pods: defaults, admission, Pending on create; the spec is fixed but for images and a few fields. */
export const PODS: Behaviour = {
  default(object) {
    defaultPodSpec(ensureObject(object, 'spec'));
  },
  prepare(object, old) {
    if (old) return;
    const spec = ensureObject(object, 'spec');
    admitPodSpec(spec, generateName(''));
    const status = ensureObject(object, 'status');
    status.phase = 'Pending';
    status.qosClass = qosClass(spec);
  },
  validate(object, old, context) {
    const spec = objectAt(object, 'spec');
    if (!old) return validatePodSpec(spec, 'spec');
    if (context.subresource !== '') return [];
    const before = objectAt(old, 'spec');
    const fixed = (value: typeof spec): typeof spec =>
      Object.fromEntries(Object.entries(value).filter(([key]) => !MUTABLE.has(key)));
    if (equal(fixed(spec), fixed(before))) return [];
    return [
      {
        ...fieldInvalid('spec', '', ''),
        reason: 'FieldValueForbidden',
        message:
          'Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
      },
    ];
  },
};

/** Nodes. */
export const NODES: Behaviour = {
  default(object) {
    const status = ensureObject(object, 'status');
    if (!isObject(status.capacity)) return;
    setDefault(status, 'allocatable', { ...status.capacity });
  },
};
