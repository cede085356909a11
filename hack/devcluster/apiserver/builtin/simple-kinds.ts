import type { ApiObject } from '../api-object.ts';
import type { Faults } from '../faults.ts';
import {
  ensureObject,
  equal,
  type JsonObject,
  objectAt,
  objectsAt,
  setDefault,
  stringAt,
  stringsAt,
} from '../json.ts';
import type { Behaviour } from '../resource.ts';

const CONFIG_KEY = /^[-._a-zA-Z0-9]+$/;

const KEY_RULE = `a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`;

/** What is wrong with the keys of a ConfigMap or Secret, or with a change of an immutable one. */
export function dataFaults(faults: Faults, object: ApiObject, old: ApiObject | undefined): void {
  const why = 'field is immutable when `immutable` is set';
  for (const field of ['data', 'binaryData']) {
    for (const key of Object.keys(objectAt(object, field)))
      if (!CONFIG_KEY.test(key) || key.length > 253) faults.invalid(`${field}[${key}]`, key, KEY_RULE);
    if (old?.immutable === true && !equal(objectAt(old, field), objectAt(object, field)))
      faults.forbidden(field, why);
  }
  if (old?.immutable === true && object.immutable !== true) faults.forbidden('immutable', why);
}

/** ConfigMaps: no key is in data and in binaryData. */
export const CONFIG_MAPS: Behaviour = {
  validate(faults, object, old) {
    dataFaults(faults, object, old);
    const binary = objectAt(object, 'binaryData');
    for (const key of Object.keys(objectAt(object, 'data')))
      if (key in binary) faults.invalid(`data[${key}]`, key, 'duplicate of key present in binaryData');
  },
};

const POD_SECURITY_LEVELS = ['privileged', 'baseline', 'restricted'];

/** Namespaces: active until deleted, then terminating until they are empty. */
export const NAMESPACES: Behaviour = {
  allocate(object) {
    ensureObject(object, 'spec').finalizers = ['kubernetes'];
  },
  default(object) {
    const metadata = object.metadata;
    metadata.labels = {
      ...metadata.labels,
      ...(metadata.name ? { 'kubernetes.io/metadata.name': metadata.name } : {}),
    };
  },
  prepare(object, old) {
    if (!old) {
      const labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name };
      object.metadata.labels = labels;
      ensureObject(object, 'status').phase = 'Active';
    } else object.spec = objectAt(old, 'spec');
  },
  validate(faults, object) {
    for (const mode of ['enforce', 'audit', 'warn']) {
      const name = `pod-security.kubernetes.io/${mode}`;
      const level = object.metadata.labels?.[name];
      if (level !== undefined && !POD_SECURITY_LEVELS.includes(level))
        faults.invalid(`metadata.labels[${name}]`, level, `must be one of ${POD_SECURITY_LEVELS.join(', ')}`);
    }
  },
};

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
const CLAIM_RULE =
  'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
const CLAIM_PROTECTION = 'kubernetes.io/pvc-protection';

/** PersistentVolumeClaims. */
export const CLAIMS: Behaviour = {
  default(object) {
    setDefault(ensureObject(object, 'spec'), 'volumeMode', 'Filesystem');
    setDefault(ensureObject(object, 'status'), 'phase', 'Pending');
  },
  // The admission plug-in StorageObjectInUseProtection does it after field ownership was recorded.
  allocate({ metadata }) {
    const { finalizers = [] } = metadata;
    if (!finalizers.includes(CLAIM_PROTECTION)) metadata.finalizers = [...finalizers, CLAIM_PROTECTION];
  },
  validate(faults, object, old) {
    const at = faults.at('spec');
    const modes = stringsAt(object, 'spec', 'accessModes');
    if (modes.length === 0) at.required('accessModes', 'at least 1 access mode is required');
    for (const mode of modes)
      if (!ACCESS_MODES.includes(mode)) at.unsupported('accessModes', mode, ACCESS_MODES);
    if (stringAt(object, 'spec', 'resources', 'requests', 'storage') === '')
      at.required('resources[storage]');
    const fixed = (each: ApiObject): JsonObject => {
      const {
        resources: _,
        volumeName: __,
        volumeAttributesClassName: ___,
        ...rest
      } = objectAt(each, 'spec');
      return rest;
    };
    if (old && !equal(fixed(old), fixed(object))) faults.forbidden('spec', CLAIM_RULE);
  },
};

/** PodDisruptionBudgets. */
export const DISRUPTION_BUDGETS: Behaviour = {
  default(object) {
    const spec = ensureObject(object, 'spec');
    if (spec.minAvailable === undefined && spec.maxUnavailable === undefined) spec.minAvailable = 1;
  },
  zero(object) {
    const status = ensureObject(object, 'status');
    for (const key of ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'])
      setDefault(status, key, 0);
  },
  validate(faults, object) {
    const { minAvailable, maxUnavailable } = objectAt(object, 'spec');
    if (minAvailable !== undefined && maxUnavailable !== undefined)
      faults.invalid('spec', '', 'minAvailable and maxUnavailable cannot be both set');
  },
};

/** Leases. */
export const LEASES: Behaviour = {
  validate(faults, object) {
    const { leaseDurationSeconds = 1, leaseTransitions = 0 } = objectAt(object, 'spec');
    if (Number(leaseDurationSeconds) <= 0)
      faults.invalid('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0');
    if (Number(leaseTransitions) < 0)
      faults.invalid('spec.leaseTransitions', leaseTransitions, 'must be greater than or equal to 0');
  },
};

/** EndpointSlices. */
export const ENDPOINT_SLICES: Behaviour = {
  default(object) {
    for (const port of objectsAt(object, 'ports')) {
      setDefault(port, 'name', '');
      setDefault(port, 'protocol', 'TCP');
    }
  },
  validate(faults, object, old) {
    const { addressType = '' } = object;
    if (old && old.addressType !== addressType)
      faults.invalid('addressType', addressType, 'field is immutable');
    else if (addressType === '') faults.required('addressType');
  },
};

/** PriorityClasses. */
export const PRIORITY_CLASSES: Behaviour = {
  default: (object) => setDefault(object, 'preemptionPolicy', 'PreemptLowerPriority'),
};
