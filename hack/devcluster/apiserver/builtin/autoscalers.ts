import { parseQuantity } from '../../../../operator/values/quantity.ts';
import {
  ensureObject,
  isObject,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  setDefault,
  stringAt,
} from '../json.ts';
import { fieldInvalid, fieldRequired } from '../object-meta.ts';
import type { Behaviour } from '../resource.ts';
import type { Cause } from '../status-error.ts';

const MAX_WINDOW_SECONDS = 3600;
const MAX_PERIOD_SECONDS = 1800;

/** HorizontalPodAutoscalers, version 2. */
export const AUTOSCALERS: Behaviour = {
  default(object) {
    const spec = ensureObject(object, 'spec');
    setDefault(spec, 'minReplicas', 1);
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
    if (status.currentMetrics === undefined) status.currentMetrics = null;
  },
  validate(object) {
    const causes: Cause[] = [];
    const min = numberAt(object, 'spec', 'minReplicas') ?? 1;
    const max = numberAt(object, 'spec', 'maxReplicas') ?? 0;
    if (min < 1) causes.push(fieldInvalid('spec.minReplicas', min, 'must be greater than or equal to 1'));
    if (max < 1) causes.push(fieldRequired('spec.maxReplicas', 'must be set and greater than 0'));
    if (max < min)
      causes.push(fieldInvalid('spec.maxReplicas', max, 'must be greater than or equal to `minReplicas`'));
    causes.push(...targetFaults(objectAt(object, 'spec', 'scaleTargetRef')));
    objectsAt(object, 'spec', 'metrics').forEach((metric, index) => {
      causes.push(...metricFaults(metric, `spec.metrics[${index}]`));
    });
    for (const way of ['scaleUp', 'scaleDown'])
      causes.push(...behaviourFaults(objectAt(object, 'spec', 'behavior', way), `spec.behavior.${way}`));
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

/** As validateCrossVersionObjectReference of Kubernetes. */
function targetFaults(target: JsonObject): Cause[] {
  const causes: Cause[] = [];
  for (const key of ['kind', 'name']) {
    const field = `spec.scaleTargetRef.${key}`;
    const text = stringAt(target, key);
    if (text === '') causes.push(fieldRequired(field));
    else if (text.includes('/')) causes.push(fieldInvalid(field, text, "may not contain '/'"));
  }
  const version = stringAt(target, 'apiVersion');
  const core = version === 'v1' && target.kind === 'ReplicationController';
  if (!core && !version.includes('/'))
    causes.push(fieldInvalid('spec.scaleTargetRef.apiVersion', version, 'apiVersion must specify API group'));
  return causes;
}

/** Which field of a metric belongs to its type. */
const SOURCES: Readonly<Record<string, string>> = {
  Resource: 'resource',
  ContainerResource: 'containerResource',
  Pods: 'pods',
  Object: 'object',
  External: 'external',
};

/** As validateMetricSpec of Kubernetes. */
function metricFaults(metric: JsonObject, path: string): Cause[] {
  const key = SOURCES[stringAt(metric, 'type')];
  if (key === undefined) return [fieldRequired(`${path}.type`, 'must specify a metric source type')];
  const source = metric[key];
  const at = `${path}.${key}`;
  if (!isObject(source)) return [fieldRequired(at, 'must populate information for the given metric source')];
  const target = objectAt(source, 'target');
  const causes: Cause[] = [];
  const plain = key === 'resource' || key === 'containerResource';
  if (!plain && stringAt(source, 'metric', 'name') === '')
    causes.push(fieldRequired(`${at}.metric.name`, 'must specify a metric name'));
  if (plain && stringAt(source, 'name') === '')
    causes.push(fieldRequired(`${at}.name`, 'must specify a resource name'));
  for (const value of ['value', 'averageValue']) {
    const quantity = parseQuantity(stringAt(target, value));
    if (quantity && quantity.nano <= 0)
      causes.push(fieldInvalid(`${at}.target.${value}`, target[value] ?? null, 'must be positive'));
  }
  const utilization = numberAt(target, 'averageUtilization');
  if (utilization !== undefined && utilization < 1)
    causes.push(fieldInvalid(`${at}.target.averageUtilization`, utilization, 'must be greater than 0'));
  return [...causes, ...missingTarget(key, target, `${at}.target`)];
}

function missingTarget(key: string, target: JsonObject, at: string): Cause[] {
  const has = (...fields: string[]): boolean => fields.some((field) => target[field] !== undefined);
  if (key === 'pods')
    return has('averageValue')
      ? []
      : [fieldRequired(`${at}.averageValue`, 'must specify a positive target averageValue')];
  if (key === 'external' || key === 'object') {
    if (has('value', 'averageValue')) return [];
    return [
      fieldRequired(`${at}.averageValue`, 'must set either a target value for metric or a per-pod target'),
    ];
  }
  if (has('averageUtilization', 'averageValue')) return [];
  return [
    fieldRequired(`${at}.averageUtilization`, 'must set either a target raw value or a target utilization'),
  ];
}

/** As validateScalingRules of Kubernetes. */
function behaviourFaults(rules: JsonObject, path: string): Cause[] {
  const causes: Cause[] = [];
  const window = numberAt(rules, 'stabilizationWindowSeconds');
  const at = `${path}.stabilizationWindowSeconds`;
  if (window !== undefined && window < 0)
    causes.push(fieldInvalid(at, window, 'must be greater than or equal to zero'));
  if (window !== undefined && window > MAX_WINDOW_SECONDS)
    causes.push(fieldInvalid(at, window, `must be less than or equal to ${MAX_WINDOW_SECONDS}`));
  objectsAt(rules, 'policies').forEach((policy, index) => {
    for (const field of ['value', 'periodSeconds']) {
      const number = numberAt(policy, field) ?? 0;
      const here = `${path}.policies[${index}].${field}`;
      if (number <= 0) causes.push(fieldInvalid(here, number, 'must be greater than zero'));
      else if (field === 'periodSeconds' && number > MAX_PERIOD_SECONDS)
        causes.push(fieldInvalid(here, number, `must be less than or equal to ${MAX_PERIOD_SECONDS}`));
    }
  });
  return causes;
}
