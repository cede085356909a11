import { parseQuantity } from '../../../../operator/values/quantity.ts';
import type { Faults } from '../faults.ts';
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
import type { Behaviour } from '../resource.ts';

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
  validate(faults, object) {
    const spec = faults.at('spec');
    const min = numberAt(object, 'spec', 'minReplicas') ?? 1;
    const max = numberAt(object, 'spec', 'maxReplicas') ?? 0;
    if (min < 1) spec.invalid('minReplicas', min, 'must be greater than or equal to 1');
    if (max < 1) spec.required('maxReplicas', 'must be set and greater than 0');
    if (max < min) spec.invalid('maxReplicas', max, 'must be greater than or equal to `minReplicas`');
    targetFaults(spec.at('scaleTargetRef'), objectAt(object, 'spec', 'scaleTargetRef'));
    spec.each('metrics', objectsAt(object, 'spec', 'metrics'), metricFaults);
    for (const way of ['scaleUp', 'scaleDown'])
      behaviourFaults(spec.at('behavior', way), objectAt(object, 'spec', 'behavior', way));
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
function targetFaults(faults: Faults, target: JsonObject): void {
  for (const key of ['kind', 'name']) {
    const text = stringAt(target, key);
    if (text === '') faults.required(key);
    else if (text.includes('/')) faults.invalid(key, text, "may not contain '/'");
  }
  const version = stringAt(target, 'apiVersion');
  const core = version === 'v1' && target.kind === 'ReplicationController';
  if (!core && !version.includes('/'))
    faults.invalid('apiVersion', version, 'apiVersion must specify API group');
}

/** As validateMetricSpec of Kubernetes. */
function metricFaults(faults: Faults, metric: JsonObject): void {
  const type = stringAt(metric, 'type');
  const key = `${type.slice(0, 1).toLowerCase()}${type.slice(1)}`;
  if (!(key in TARGETS)) {
    faults.required('type', 'must specify a metric source type');
    return;
  }
  const source = metric[key];
  if (!isObject(source)) {
    faults.required(key, 'must populate information for the given metric source');
    return;
  }
  const plain = key === 'resource' || key === 'containerResource';
  if (!plain && stringAt(source, 'metric', 'name') === '')
    faults.required(`${key}.metric.name`, 'must specify a metric name');
  if (plain && stringAt(source, 'name') === '')
    faults.required(`${key}.name`, 'must specify a resource name');
  targetValueFaults(faults.at(key, 'target'), objectAt(source, 'target'), key);
}

const RAW = [
  'must set either a target raw value or a target utilization',
  'averageValue',
  'averageUtilization',
] as const;

/** By metric type: the target fields of which one is required, and the message when none is set. The error is reported for the last field. */
const TARGETS: Readonly<Record<string, readonly [why: string, ...values: string[]]>> = {
  pods: ['must specify a positive target averageValue', 'averageValue'],
  object: ['must set either a target value for metric or a per-pod target', 'value', 'averageValue'],
  external: ['must set either a target value for metric or a per-pod target', 'value', 'averageValue'],
  resource: RAW,
  containerResource: RAW,
};

function targetValueFaults(faults: Faults, target: JsonObject, key: string): void {
  for (const value of ['value', 'averageValue']) {
    const quantity = parseQuantity(stringAt(target, value));
    if (quantity && quantity.nano <= 0) faults.invalid(value, target[value], 'must be positive');
  }
  const utilization = numberAt(target, 'averageUtilization');
  if (utilization !== undefined && utilization < 1)
    faults.invalid('averageUtilization', utilization, 'must be greater than 0');
  const [why, ...values] = TARGETS[key] ?? [''];
  if (values.every((value) => target[value] === undefined)) faults.required(values.at(-1) ?? '', why);
}

/** As validateScalingRules of Kubernetes. */
function behaviourFaults(faults: Faults, rules: JsonObject): void {
  const window = numberAt(rules, 'stabilizationWindowSeconds') ?? 0;
  if (window < 0)
    faults.invalid('stabilizationWindowSeconds', window, 'must be greater than or equal to zero');
  if (window > MAX_WINDOW_SECONDS)
    faults.invalid(
      'stabilizationWindowSeconds',
      window,
      `must be less than or equal to ${MAX_WINDOW_SECONDS}`,
    );
  faults.each('policies', objectsAt(rules, 'policies'), (at, policy) => {
    const { value = 0, periodSeconds = 0 } = policy;
    if (Number(value) <= 0) at.invalid('value', value, 'must be greater than zero');
    if (Number(periodSeconds) <= 0) at.invalid('periodSeconds', periodSeconds, 'must be greater than zero');
    if (Number(periodSeconds) > MAX_PERIOD_SECONDS)
      at.invalid('periodSeconds', periodSeconds, `must be less than or equal to ${MAX_PERIOD_SECONDS}`);
  });
}
