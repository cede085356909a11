import { formatQuantity, parseQuantity } from '../../../../operator/values/quantity.ts';
import type { Faults } from '../faults.ts';
import { isObject, type Json, type JsonObject, numberAt, objectAt, objectsAt, stringAt } from '../json.ts';
import { checkFormat } from '../schema/formats.ts';

const LABEL_RULE = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'";
const ONE = 1_000_000_000n;
const FRACTIONAL = new Set(['cpu', 'memory', 'ephemeral-storage', 'storage']);

/** Finds what is wrong in a PodSpec. */
export function podSpecFaults(faults: Faults, spec: JsonObject): void {
  if (objectsAt(spec, 'containers').length === 0) faults.required('containers');
  const volumes = new Set(objectsAt(spec, 'volumes').map((volume) => stringAt(volume, 'name')));
  for (const list of ['containers', 'initContainers']) {
    const names = new Set<string>();
    faults.each(list, objectsAt(spec, list), (at, container) => {
      const name = stringAt(container, 'name');
      containerFaults(at, container, volumes);
      if (names.has(name)) at.duplicate('name', name);
      names.add(name);
    });
  }
  const grace = numberAt(spec, 'terminationGracePeriodSeconds') ?? 0;
  if (grace < 0) faults.invalid('terminationGracePeriodSeconds', grace, 'must be greater than or equal to 0');
}

function containerFaults(faults: Faults, container: JsonObject, volumes: ReadonlySet<string>): void {
  const name = stringAt(container, 'name');
  if (!checkFormat('k8s-short-name', name)) faults.wrong('name', name, LABEL_RULE);
  if (stringAt(container, 'image') === '') faults.required('image');
  faults.each('ports', objectsAt(container, 'ports'), (at, { containerPort: port = 0 }) => {
    if (port === 0) at.required('containerPort');
    else if (Number(port) < 1 || Number(port) > 65535)
      at.invalid('containerPort', port, 'must be between 1 and 65535, inclusive');
  });
  faults.each('env', objectsAt(container, 'env'), (at, variable) => {
    if (stringAt(variable, 'name') === '') at.required('name');
    if (stringAt(variable, 'value') !== '' && isObject(variable.valueFrom))
      at.invalid('valueFrom', '', 'may not be specified when `value` is not empty');
  });
  faults.each('volumeMounts', objectsAt(container, 'volumeMounts'), (at, mount) => {
    const volume = stringAt(mount, 'name');
    if (!volumes.has(volume)) at.notFound('name', volume);
    if (stringAt(mount, 'mountPath') === '') at.required('mountPath');
  });
  resourceFaults(faults.at('resources'), objectAt(container, 'resources'));
}

function resourceFaults(faults: Faults, resources: JsonObject): void {
  const limits = objectAt(resources, 'limits');
  for (const key of ['limits', 'requests'])
    for (const [name, value] of Object.entries(objectAt(resources, key)))
      amountFaults(faults, `${key}[${name}]`, name, value);
  for (const [name, value] of Object.entries(objectAt(resources, 'requests'))) {
    const limit = limits[name];
    const asked = parseQuantity(String(value));
    const most = limit === undefined ? undefined : parseQuantity(String(limit));
    const extended = name.includes('/') && !name.startsWith('kubernetes.io/');
    if (extended && !most) faults.required('limits', 'Limit must be set for non overcommitable resources');
    if (!asked || !most) continue;
    const rule = extended ? 'equal to' : 'less than or equal to';
    if (asked.nano > most.nano || (extended && asked.nano < most.nano))
      faults.invalid('requests', value, `must be ${rule} ${name} limit of ${String(limit)}`);
  }
}

function amountFaults(faults: Faults, key: string, name: string, value: Json): void {
  const quantity = parseQuantity(String(value));
  if (!quantity) return;
  if (quantity.nano < 0n) faults.invalid(key, formatQuantity(quantity), 'must be greater than or equal to 0');
  if (!FRACTIONAL.has(name) && !name.startsWith('hugepages-') && quantity.nano % ONE !== 0n)
    faults.invalid(key, formatQuantity(quantity), 'must be an integer');
}
