import { formatQuantity, parseQuantity } from '../../../../operator/values/quantity.ts';
import { isObject, type Json, type JsonObject, numberAt, objectAt, objectsAt, stringAt } from '../json.ts';
import { fieldInvalid, fieldRequired } from '../object-meta.ts';
import type { Cause } from '../status-error.ts';

const PORT_RULE = 'must be between 1 and 65535, inclusive';
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const ONE = 1_000_000_000n;
const FRACTIONAL = new Set(['cpu', 'memory', 'ephemeral-storage', 'storage']);

/** Finds what is wrong in a PodSpec; `path` is where it is, such as `spec.template.spec`. */
export function validatePodSpec(spec: JsonObject, path: string): Cause[] {
  const causes: Cause[] = [];
  const containers = objectsAt(spec, 'containers');
  if (containers.length === 0) causes.push(fieldRequired(`${path}.containers`));
  const volumes = new Set(objectsAt(spec, 'volumes').map((volume) => stringAt(volume, 'name')));
  for (const list of ['containers', 'initContainers']) {
    const names = new Set<string>();
    objectsAt(spec, list).forEach((container, index) => {
      const at = `${path}.${list}[${index}]`;
      validateContainer(container, at, volumes, causes);
      const name = stringAt(container, 'name');
      if (names.has(name))
        causes.push({
          reason: 'FieldValueDuplicate',
          field: `${at}.name`,
          message: `Duplicate value: ${JSON.stringify(name)}`,
        });
      names.add(name);
    });
  }
  const grace = numberAt(spec, 'terminationGracePeriodSeconds');
  if (grace !== undefined && grace < 0)
    causes.push(
      fieldInvalid(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than or equal to 0'),
    );
  return causes;
}

function validateContainer(container: JsonObject, at: string, volumes: Set<string>, causes: Cause[]): void {
  const name = stringAt(container, 'name');
  if (name === '') causes.push(fieldRequired(`${at}.name`));
  else if (!DNS_LABEL.test(name) || name.length > 63) {
    causes.push(
      fieldInvalid(
        `${at}.name`,
        name,
        `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'`,
      ),
    );
  }
  if (stringAt(container, 'image') === '') causes.push(fieldRequired(`${at}.image`));
  objectsAt(container, 'ports').forEach((port, index) => {
    const number = numberAt(port, 'containerPort');
    const field = `${at}.ports[${index}].containerPort`;
    if (number === undefined || number === 0) causes.push(fieldRequired(field));
    else if (number < 1 || number > 65535) causes.push(fieldInvalid(field, number, PORT_RULE));
  });
  objectsAt(container, 'env').forEach((variable, index) => {
    if (stringAt(variable, 'name') === '') causes.push(fieldRequired(`${at}.env[${index}].name`));
    if (stringAt(variable, 'value') !== '' && isObject(variable.valueFrom)) {
      causes.push(
        fieldInvalid(`${at}.env[${index}].valueFrom`, '', 'may not be specified when `value` is not empty'),
      );
    }
  });
  objectsAt(container, 'volumeMounts').forEach((mount, index) => {
    const volume = stringAt(mount, 'name');
    if (!volumes.has(volume))
      causes.push({
        reason: 'FieldValueNotFound',
        field: `${at}.volumeMounts[${index}].name`,
        message: `Not found: ${JSON.stringify(volume)}`,
      });
    if (stringAt(mount, 'mountPath') === '')
      causes.push(fieldRequired(`${at}.volumeMounts[${index}].mountPath`));
  });
  validateResources(objectAt(container, 'resources'), `${at}.resources`, causes);
}

function validateResources(resources: JsonObject, at: string, causes: Cause[]): void {
  const limits = objectAt(resources, 'limits');
  const requests = objectAt(resources, 'requests');
  for (const [key, list] of [
    ['limits', limits],
    ['requests', requests],
  ] as const) {
    for (const [name, value] of Object.entries(list))
      validateAmount(name, value, `${at}.${key}[${name}]`, causes);
  }
  for (const [name, value] of Object.entries(requests)) {
    const limit = limits[name];
    const [asked, most] = [
      parseQuantity(String(value)),
      limit === undefined ? undefined : parseQuantity(String(limit)),
    ];
    const extended = isExtended(name);
    if (extended && most === undefined)
      causes.push(fieldRequired(`${at}.limits`, 'Limit must be set for non overcommitable resources'));
    if (!asked || !most) continue;
    if (extended && asked.nano !== most.nano) {
      causes.push(
        fieldInvalid(`${at}.requests`, value, `must be equal to ${name} limit of ${String(limit)}`),
      );
    } else if (asked.nano > most.nano) {
      causes.push(
        fieldInvalid(
          `${at}.requests`,
          value,
          `must be less than or equal to ${name} limit of ${String(limit)}`,
        ),
      );
    }
  }
}

function isExtended(name: string): boolean {
  return name.includes('/') && !name.startsWith('kubernetes.io/');
}

function validateAmount(name: string, value: Json, field: string, causes: Cause[]): void {
  const quantity = parseQuantity(String(value));
  if (!quantity) return;
  if (quantity.nano < 0n)
    causes.push(fieldInvalid(field, formatQuantity(quantity), 'must be greater than or equal to 0'));
  if (!FRACTIONAL.has(name) && !name.startsWith('hugepages-') && quantity.nano % ONE !== 0n) {
    causes.push(fieldInvalid(field, formatQuantity(quantity), 'must be an integer'));
  }
}
