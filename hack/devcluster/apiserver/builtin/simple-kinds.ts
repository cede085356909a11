import type { ApiObject } from '../api-object.ts';
import {
  arrayAt,
  ensureObject,
  equal,
  numberAt,
  objectAt,
  objectsAt,
  setDefault,
  stringAt,
  stringsAt,
} from '../json.ts';
import { fieldInvalid, fieldRequired } from '../object-meta.ts';
import type { Behaviour } from '../resource.ts';
import type { Cause } from '../status-error.ts';

const CONFIG_KEY = /^[-._a-zA-Z0-9]+$/;

function forbidden(field: string, why: string): Cause {
  return { reason: 'FieldValueForbidden', field, message: `Forbidden: ${why}` };
}

/** What is wrong with the keys of a ConfigMap or Secret, or with a change of an immutable one. */
export function validateData(object: ApiObject, old: ApiObject | undefined): Cause[] {
  const causes: Cause[] = [];
  for (const field of ['data', 'binaryData']) {
    for (const key of Object.keys(objectAt(object, field))) {
      if (!CONFIG_KEY.test(key) || key.length > 253) {
        causes.push(
          fieldInvalid(
            `${field}[${key}]`,
            key,
            `a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
          ),
        );
      }
    }
    if (old?.immutable === true && !equal(objectAt(old, field), objectAt(object, field))) {
      causes.push(forbidden(field, 'field is immutable when `immutable` is set'));
    }
  }
  if (old?.immutable === true && object.immutable !== true)
    causes.push(forbidden('immutable', 'field is immutable when `immutable` is set'));
  return causes;
}

/** ConfigMaps: no key is in data and in binaryData. */
export const CONFIG_MAPS: Behaviour = {
  validate(object, old) {
    const binary = objectAt(object, 'binaryData');
    const twice = Object.keys(objectAt(object, 'data')).filter((key) => key in binary);
    return [
      ...validateData(object, old),
      ...twice.map((key) => fieldInvalid(`data[${key}]`, key, 'duplicate of key present in binaryData')),
    ];
  },
};

const POD_SECURITY_LEVELS = ['privileged', 'baseline', 'restricted'];

/** Namespaces: active until deleted, and then kept until their contents are gone. */
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
  validate(object) {
    const labels = object.metadata.labels ?? {};
    return ['enforce', 'audit', 'warn'].flatMap((mode) => {
      const name = `pod-security.kubernetes.io/${mode}`;
      const level = labels[name];
      if (level === undefined || POD_SECURITY_LEVELS.includes(level)) return [];
      const why = `must be one of ${POD_SECURITY_LEVELS.join(', ')}`;
      return [fieldInvalid(`metadata.labels[${name}]`, level, why)];
    });
  },
};

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
const CLAIM_PROTECTION = 'kubernetes.io/pvc-protection';

/** PersistentVolumeClaims. */
export const CLAIMS: Behaviour = {
  default(object) {
    setDefault(ensureObject(object, 'spec'), 'volumeMode', 'Filesystem');
    setDefault(ensureObject(object, 'status'), 'phase', 'Pending');
  },
  // The admission plug-in StorageObjectInUseProtection does it after ownership was noted.
  allocate({ metadata }) {
    const { finalizers = [] } = metadata;
    if (!finalizers.includes(CLAIM_PROTECTION)) metadata.finalizers = [...finalizers, CLAIM_PROTECTION];
  },
  validate(object, old) {
    const causes: Cause[] = [];
    if (arrayAt(object, 'spec', 'accessModes').length === 0)
      causes.push(fieldRequired('spec.accessModes', 'at least 1 access mode is required'));
    for (const mode of stringsAt(object, 'spec', 'accessModes')) {
      if (ACCESS_MODES.includes(mode)) continue;
      const known = ACCESS_MODES.map((each) => JSON.stringify(each)).join(', ');
      const message = `Unsupported value: ${JSON.stringify(mode)}: supported values: ${known}`;
      causes.push({ reason: 'FieldValueNotSupported', field: 'spec.accessModes', message });
    }
    if (stringAt(object, 'spec', 'resources', 'requests', 'storage') === '')
      causes.push(fieldRequired('spec.resources[storage]'));
    if (!old) return causes;
    const fixed = (each: ApiObject): object => ({
      ...objectAt(each, 'spec'),
      resources: null,
      volumeName: null,
      volumeAttributesClassName: null,
    });
    if (JSON.stringify(fixed(old)) !== JSON.stringify(fixed(object))) {
      causes.push(
        forbidden(
          'spec',
          'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
        ),
      );
    }
    return causes;
  },
};

/** PersistentVolumes. */
export const VOLUMES: Behaviour = {
  default(object) {
    const spec = ensureObject(object, 'spec');
    setDefault(spec, 'persistentVolumeReclaimPolicy', 'Retain');
    setDefault(spec, 'volumeMode', 'Filesystem');
    setDefault(ensureObject(object, 'status'), 'phase', 'Pending');
  },
};

/** StorageClasses. */
export const STORAGE_CLASSES: Behaviour = {
  default(object) {
    setDefault(object, 'reclaimPolicy', 'Delete');
    setDefault(object, 'volumeBindingMode', 'Immediate');
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
  validate(object) {
    const spec = objectAt(object, 'spec');
    if (spec.minAvailable === undefined || spec.maxUnavailable === undefined) return [];
    return [fieldInvalid('spec', '', 'minAvailable and maxUnavailable cannot be both set')];
  },
};

/** Leases. */
export const LEASES: Behaviour = {
  validate(object) {
    const causes: Cause[] = [];
    const duration = numberAt(object, 'spec', 'leaseDurationSeconds');
    if (duration !== undefined && duration <= 0)
      causes.push(fieldInvalid('spec.leaseDurationSeconds', duration, 'must be greater than 0'));
    const transitions = numberAt(object, 'spec', 'leaseTransitions');
    if (transitions !== undefined && transitions < 0)
      causes.push(fieldInvalid('spec.leaseTransitions', transitions, 'must be greater than or equal to 0'));
    return causes;
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
  validate(object, old) {
    if (old && old.addressType !== object.addressType)
      return [fieldInvalid('addressType', object.addressType ?? '', 'field is immutable')];
    return stringAt(object, 'addressType') === '' ? [fieldRequired('addressType')] : [];
  },
};

/** PriorityClasses. */
export const PRIORITY_CLASSES: Behaviour = {
  default: (object) => setDefault(object, 'preemptionPolicy', 'PreemptLowerPriority'),
};
