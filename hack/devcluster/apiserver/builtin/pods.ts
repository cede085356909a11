import { timestamp } from '../api-object.ts';
import {
  ensureObject,
  equal,
  isObject,
  type Json,
  type JsonObject,
  objectAt,
  objectsAt,
  setDefault,
  stringAt,
} from '../json.ts';
import { generateName } from '../object-meta.ts';
import type { Behaviour } from '../resource.ts';
import { words } from '../words.ts';
import { admitPodSpec, defaultNewPod, defaultPodSpec, qosClass } from './pod-defaults.ts';
import { podSpecFaults } from './pod-validation.ts';

/** Pod fields that an update of the pod itself may change, besides the images of containers. */
const MUTABLE =
  words(`activeDeadlineSeconds tolerations terminationGracePeriodSeconds schedulingGates nodeName
  ephemeralContainers`);

const UPDATE_RULE =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';
const CONTAINERS = new Set(['containers', 'initContainers']);

function withoutImages(containers: Json | undefined): Json[] {
  return objectsAt({ list: containers ?? null }, 'list').map(({ image: _, ...rest }) => rest);
}

/** Pods: defaults, admission, Pending on create; the spec is immutable except for images and a few fields. */
export const PODS: Behaviour = {
  default(object) {
    defaultPodSpec(ensureObject(object, 'spec'));
  },
  prepare(object, old, context) {
    if (old) return;
    const spec = ensureObject(object, 'spec');
    defaultNewPod(spec);
    const status = ensureObject(object, 'status');
    status.phase = 'Pending';
    status.qosClass = qosClass(spec);
    if (objectsAt(spec, 'schedulingGates').length > 0) status.conditions = [gated(context.now)];
  },
  zero(object) {
    for (const condition of objectsAt(object, 'status', 'conditions'))
      setDefault(condition, 'lastProbeTime', null);
  },
  allocate(object, store) {
    const spec = ensureObject(object, 'spec');
    const named = store.get('scheduling.k8s.io/priorityclasses', '', stringAt(spec, 'priorityClassName'));
    if (named) {
      spec.priority = named.value ?? 0;
      spec.preemptionPolicy = named.preemptionPolicy ?? 'PreemptLowerPriority';
    }
    admitPodSpec(spec, generateName(''));
  },
  validate(faults, object, old, context) {
    const spec = objectAt(object, 'spec');
    if (!old) {
      podSpecFaults(faults.at('spec'), spec);
      if (objectsAt(spec, 'schedulingGates').length > 0 && stringAt(spec, 'nodeName') !== '')
        faults.forbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared');
    } else if (context.subresource === '' && !equal(fixedParts(spec), fixedParts(objectAt(old, 'spec'))))
      faults.forbidden('spec', UPDATE_RULE);
  },
};

/** The parts of a spec that an update must not change. */
function fixedParts(spec: JsonObject): JsonObject {
  const kept = Object.entries(spec).filter(([key]) => !MUTABLE.has(key));
  return Object.fromEntries(
    kept.map(([key, part]) => [key, CONTAINERS.has(key) ? withoutImages(part) : part]),
  );
}

function gated(now: Date): JsonObject {
  return {
    type: 'PodScheduled',
    status: 'False',
    lastProbeTime: null,
    lastTransitionTime: timestamp(now),
    reason: 'SchedulingGated',
    message: 'Scheduling is blocked due to non-empty scheduling gates',
  };
}

/** Nodes. */
export const NODES: Behaviour = {
  default(object) {
    const status = ensureObject(object, 'status');
    if (!isObject(status.capacity)) return;
    setDefault(status, 'allocatable', { ...status.capacity });
  },
};
