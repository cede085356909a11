import {
  isObject,
  type Json,
  type JsonObject,
  objectAt,
  objectsAt,
  stringAt,
  stringsAt,
  valueAt,
} from '../json.ts';

/** Levels of the Pod Security Standards. */
export type PodSecurityLevel = 'privileged' | 'baseline' | 'restricted';

/** What a pod does that its level forbids. */
export interface Violation {
  reason: string;
  detail: string;
}

/** A pod as the checks read it. */
interface Subject {
  spec: JsonObject;
  containers: JsonObject[];
}

/** The rule and, when it is broken, how. */
type Check = readonly [reason: string, details: (pod: Subject) => string[]];

const ADDABLE = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

const VOLUMES = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);

const SYSCTLS = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
]);

const PROFILES = ['RuntimeDefault', 'Localhost'];

const context = (container: JsonObject, ...path: string[]): Json | undefined =>
  valueAt(container, 'securityContext', ...path);

/** `container "a" must …` or `containers "a", "b" must …` of those that a test finds; empty when there are none. */
function naming(
  containers: readonly JsonObject[],
  bad: (container: JsonObject) => boolean,
  what: string,
): string[] {
  const names = containers.filter(bad).map((each) => JSON.stringify(stringAt(each, 'name')));
  if (names.length === 0) return [];
  return [`container${names.length === 1 ? '' : 's'} ${names.join(', ')} ${what}`];
}

function addedBeyond({ containers }: Subject, allowed: (name: string) => boolean, note = ''): string[] {
  const added = (each: JsonObject): string[] =>
    stringsAt(each, 'securityContext', 'capabilities', 'add').filter((name) => !allowed(name));
  const all = [...new Set(containers.flatMap(added))].sort().map((name) => JSON.stringify(name));
  const what = `must not include ${all.join(', ')} in securityContext.capabilities.add${note}`;
  return naming(containers, (each) => added(each).length > 0, what);
}

/** Of pod and containers: a value that must not be set at either. */
function unset(
  pod: Subject,
  path: string[],
  bad: (value: Json | undefined) => boolean,
  what: string,
): string[] {
  const own = bad(valueAt(pod.spec, 'securityContext', ...path)) ? [`pod ${what}`] : [];
  return [...own, ...naming(pod.containers, (each) => bad(context(each, ...path)), what)];
}

/** Of pod and containers: a value that the pod, or else every container, must have. */
function wanted(
  pod: Subject,
  path: string[],
  good: (value: Json | undefined) => boolean,
  what: string,
): string[] {
  if (good(valueAt(pod.spec, 'securityContext', ...path)))
    return naming(
      pod.containers,
      (each) => context(each, ...path) !== undefined && !good(context(each, ...path)),
      what,
    );
  return naming(pod.containers, (each) => !good(context(each, ...path)), what).map(
    (text) => `pod or ${text}`,
  );
}

const BASELINE: readonly Check[] = [
  [
    'forbidden AppArmor profile',
    (pod) =>
      unset(
        pod,
        ['appArmorProfile', 'type'],
        (type) => type === 'Unconfined',
        'must not set AppArmor profile type to "Unconfined"',
      ),
  ],
  ['non-default capabilities', (pod) => addedBeyond(pod, (name) => ADDABLE.has(name))],
  [
    'host namespaces',
    ({ spec }) => {
      const used = ['hostNetwork', 'hostPID', 'hostIPC'].filter((field) => spec[field] === true);
      return used.length === 0 ? [] : [used.map((field) => `${field}=true`).join(', ')];
    },
  ],
  [
    'hostPath volumes',
    ({ spec }) => volumesOf(spec, (type) => type === 'hostPath').map(({ name }) => `volume ${name}`),
  ],
  [
    'hostPort',
    ({ containers }) =>
      naming(
        containers,
        (each) => objectsAt(each, 'ports').some(({ hostPort = 0 }) => hostPort !== 0),
        'uses a hostPort',
      ),
  ],
  [
    'privileged',
    ({ containers }) =>
      naming(
        containers,
        (each) => context(each, 'privileged') === true,
        'must not set securityContext.privileged=true',
      ),
  ],
  [
    'procMount',
    ({ containers }) =>
      naming(
        containers,
        (each) => (context(each, 'procMount') ?? 'Default') !== 'Default',
        'must not set securityContext.procMount to "Unmasked"',
      ),
  ],
  [
    'seccompProfile',
    (pod) =>
      unset(
        pod,
        ['seccompProfile', 'type'],
        (type) => type === 'Unconfined',
        'must not set securityContext.seccompProfile.type to "Unconfined"',
      ),
  ],
  [
    'forbidden sysctls',
    ({ spec }) => {
      const names = objectsAt(spec, 'securityContext', 'sysctls').map((each) => stringAt(each, 'name'));
      const bad = names.filter((name) => !SYSCTLS.has(name));
      return bad.length === 0 ? [] : [bad.join(', ')];
    },
  ],
];

/** Checks of `baseline` that `restricted` has in a stricter form. */
const REPLACED = new Set(['non-default capabilities', 'hostPath volumes', 'seccompProfile']);

const RESTRICTED: readonly Check[] = [
  ...BASELINE.filter(([reason]) => !REPLACED.has(reason)),
  [
    'allowPrivilegeEscalation != false',
    ({ containers }) =>
      naming(
        containers,
        (each) => context(each, 'allowPrivilegeEscalation') !== false,
        'must set securityContext.allowPrivilegeEscalation=false',
      ),
  ],
  [
    'unrestricted capabilities',
    (pod) => [
      ...naming(
        pod.containers,
        (each) => !stringsAt(each, 'securityContext', 'capabilities', 'drop').includes('ALL'),
        'must set securityContext.capabilities.drop=["ALL"]',
      ),
      ...addedBeyond(pod, (name) => name === 'NET_BIND_SERVICE'),
    ],
  ],
  [
    'restricted volume types',
    ({ spec }) =>
      volumesOf(spec, (type) => !VOLUMES.has(type)).map(
        ({ name, type }) => `volume ${name} uses restricted volume type ${JSON.stringify(type)}`,
      ),
  ],
  [
    'runAsNonRoot != true',
    (pod) =>
      wanted(pod, ['runAsNonRoot'], (value) => value === true, 'must set securityContext.runAsNonRoot=true'),
  ],
  ['runAsUser=0', (pod) => unset(pod, ['runAsUser'], (user) => user === 0, 'must not set runAsUser=0')],
  [
    'seccompProfile',
    (pod) =>
      wanted(
        pod,
        ['seccompProfile', 'type'],
        (type) => typeof type === 'string' && PROFILES.includes(type),
        'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"',
      ),
  ],
];

function volumesOf(spec: JsonObject, bad: (type: string) => boolean): { name: string; type: string }[] {
  return objectsAt(spec, 'volumes').flatMap((volume) =>
    Object.keys(volume)
      .filter((key) => isObject(volume[key]) && bad(key))
      .map((type) => ({ name: JSON.stringify(stringAt(volume, 'name')), type })),
  );
}

/** What of a pod's spec its level forbids, as pod-security-admission of Kubernetes 1.36 says it (its latest version). */
export function podSecurityViolations(level: PodSecurityLevel, spec: JsonObject): Violation[] {
  if (level === 'privileged') return [];
  const lists = ['initContainers', 'containers', 'ephemeralContainers'];
  const pod = { spec, containers: lists.flatMap((list) => objectsAt(objectAt({ spec }, 'spec'), list)) };
  return (level === 'baseline' ? BASELINE : RESTRICTED).flatMap(([reason, details]) => {
    const found = details(pod);
    return found.length === 0 ? [] : [{ reason, detail: found.join('; ') }];
  });
}
