/** Checks of init containers and sidecars of a template. The schema does not cover them. */
import { POD_FIELDS } from '../api/pod-fields.ts';
import { isNative, SELINUX_TYPES } from '../api/pod-settings.ts';
import type { SpecIssue } from '../values/spec-issue.ts';

type Fields = Record<string, unknown>;

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** A field below the container, its value, what is wrong with it, and the remedy. */
type Finding = [field: string, value: unknown, reason: string, remedy: string];

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function itemsOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}

const RESTRICTED = 'the Pod Security Standard restricted does not allow it';

/** Checks of the fields of a container's security context that `restricted` allows. All other fields are rejected. */
const ADMITTED = new Map<string, (value: unknown) => boolean>(
  Object.entries({
    allowPrivilegeEscalation: (value) => value === false,
    privileged: (value) => value === false,
    readOnlyRootFilesystem: (value) => typeof value === 'boolean',
    runAsNonRoot: (value) => value === true,
    runAsUser: (value) => typeof value === 'number' && value > 0,
    runAsGroup: (value) => typeof value === 'number' && value >= 0,
    seccompProfile: (value) => ['RuntimeDefault', 'Localhost'].includes(String(fieldsOf(value).type)),
    appArmorProfile: (value) => ['RuntimeDefault', 'Localhost'].includes(String(fieldsOf(value).type)),
    procMount: (value) => value === 'Default',
    seLinuxOptions: (value) => {
      const { level, type = 'container_t', ...others } = fieldsOf(value);
      return Object.keys(others).length === 0 && SELINUX_TYPES.some((known) => known === type);
    },
  }),
);

function checkSecurity(context: unknown): Finding[] {
  if (context === undefined) return [];
  if (Object.keys(fieldsOf(context)).length === 0)
    return [['securityContext', context, 'it is not an object with fields', 'correct it, or remove it']];
  return Object.entries(fieldsOf(context)).flatMap(([field, value]): Finding[] => {
    if (field === 'capabilities') {
      const { add, ...others } = fieldsOf(value);
      const harmless =
        add === undefined || (Array.isArray(add) && add.every((name) => name === 'NET_BIND_SERVICE'));
      const known = Object.keys(others).every((name) => name === 'drop');
      if (harmless && known) return [];
      return [['securityContext.capabilities.add', add, RESTRICTED, 'add NET_BIND_SERVICE at most']];
    }
    if (ADMITTED.get(field)?.(value) === true) return [];
    return [[`securityContext.${field}`, value, RESTRICTED, 'remove it']];
  });
}

function checkResources(resources: unknown): Finding[] {
  const { requests, limits, claims } = fieldsOf(resources);
  const extended = (field: string, value: unknown): Finding[] =>
    !Object.keys(fieldsOf(value)).every(isNative)
      ? [
          [
            `resources.${field}`,
            value,
            'accelerators and other extended resources come from the pool',
            'remove them',
          ],
        ]
      : [];
  return [
    ...extended('requests', requests),
    ...extended('limits', limits),
    ...(claims === undefined
      ? []
      : [['resources.claims', claims, 'devices come from the pool', 'remove it'] satisfies Finding]),
  ];
}

function checkContainer(
  container: Fields,
  names: readonly unknown[],
  volumes: ReadonlySet<unknown>,
): Finding[] {
  const { name, image, restartPolicy, securityContext, resources } = container;
  const findings: Finding[] = [];
  if (typeof name !== 'string' || !DNS_LABEL.test(name) || name === 'engine' || names.includes(name)) {
    const reason = 'the name must be a unique DNS label, and not engine, which is reserved';
    findings.push(['name', name, reason, 'choose another name']);
  }
  if (typeof image !== 'string' || image === '')
    findings.push(['image', image, 'a container needs an image', 'set it']);
  for (const field of Object.keys(container)) {
    if (!Object.hasOwn(POD_FIELDS.Container, field))
      findings.push([
        field,
        container[field],
        'containers have no such field',
        'correct the name, or remove it',
      ]);
  }
  if (restartPolicy !== undefined && restartPolicy !== 'Always')
    findings.push(['restartPolicy', restartPolicy, 'init containers allow only Always', 'remove it']);
  findings.push(...checkSecurity(securityContext), ...checkResources(resources));
  itemsOf(container.ports).forEach(({ hostPort }, at) => {
    if (hostPort === undefined) return;
    findings.push([`ports[${at}].hostPort`, hostPort, 'it would occupy a port of the node', 'remove it']);
  });
  itemsOf(container.volumeMounts).forEach((mount, at) => {
    if (volumes.has(mount.name)) return;
    const remedy = 'add it to spec.template.volumes';
    findings.push([`volumeMounts[${at}].name`, mount.name, 'there is no volume with this name', remedy]);
  });
  return findings;
}

/** Issues of all init containers. `volumes` are the names of the pod's volumes. */
export function checkInitContainers(
  containers: readonly Fields[],
  volumes: ReadonlySet<unknown>,
): SpecIssue[] {
  const names = containers.map(({ name }) => name);
  return containers.flatMap((container, at) =>
    checkContainer(container, names.slice(0, at), volumes).map(([field, value, reason, remedy]) => ({
      field: `spec.template.initContainers[${at}].${field}`,
      value,
      reason,
      remedy,
    })),
  );
}
