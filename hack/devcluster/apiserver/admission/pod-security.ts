import { isObject, type Json, type JsonObject, objectsAt, stringAt, stringsAt, valueAt } from '../json.ts';
import { words } from '../words.ts';

/** Levels of the Pod Security Standards. */
export type PodSecurityLevel = 'privileged' | 'baseline' | 'restricted';

/** A violation of a level by a pod. */
export interface Violation {
  reason: string;
  detail: string;
}

interface Subject {
  spec: JsonObject;
  containers: JsonObject[];
}

/** Checks by the name that messages use. Each returns what is wrong with a pod; empty when nothing is. */
type Checks = Readonly<Record<string, (pod: Subject) => string[]>>;

const ADDABLE = words(`AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID
  SETPCAP SETUID SYS_CHROOT`);
const VOLUMES = words(
  'configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret',
);
const SYSCTLS = words(`kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports
  net.ipv4.ip_unprivileged_port_start net.ipv4.ping_group_range net.ipv4.tcp_fin_timeout
  net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes net.ipv4.tcp_keepalive_time net.ipv4.tcp_rmem
  net.ipv4.tcp_syncookies net.ipv4.tcp_wmem`);

type Test = (value: Json | undefined) => boolean;

/** The containers that violate a check, and the required setting. */
function naming({ containers }: Subject, bad: (container: JsonObject) => boolean, what: string): string[] {
  const names = containers.filter(bad).map((each) => JSON.stringify(stringAt(each, 'name')));
  return names.length === 0 ? [] : [`container${names.length === 1 ? '' : 's'} ${names.join(', ')} ${what}`];
}

/** A value of containers. */
function ofContainers(pod: Subject, path: string, bad: Test, what: string): string[] {
  const keys = path.split('.');
  return naming(pod, (each) => bad(valueAt(each, 'securityContext', ...keys)), what);
}

/** A value that neither the pod nor a container may have. */
function ofNone(pod: Subject, path: string, bad: Test, what: string): string[] {
  const own = valueAt(pod.spec, 'securityContext', ...path.split('.'));
  return [...(bad(own) ? [`pod ${what}`] : []), ...ofContainers(pod, path, bad, what)];
}

/** A value that the pod must have, or else every container; no container may have another. */
function ofAll(pod: Subject, path: string, good: Test, what: string): string[] {
  const inherited = good(valueAt(pod.spec, 'securityContext', ...path.split('.')));
  const bad: Test = (value) => (value === undefined ? !inherited : !good(value));
  return ofContainers(pod, path, bad, what).map((text) => (inherited ? text : `pod or ${text}`));
}

function capabilities(pod: Subject, allowed: (name: string) => boolean): string[] {
  const added = (each: JsonObject): string[] =>
    stringsAt(each, 'securityContext', 'capabilities', 'add').filter((name) => !allowed(name));
  const all = [...new Set(pod.containers.flatMap(added))].sort().map((name) => JSON.stringify(name));
  const what = `must not include ${all.join(', ')} in securityContext.capabilities.add`;
  return naming(pod, (each) => added(each).length > 0, what);
}

function volumes(
  { spec }: Subject,
  bad: (type: string) => boolean,
  what: (type: string) => string,
): string[] {
  return objectsAt(spec, 'volumes').flatMap((volume) =>
    Object.keys(volume)
      .filter((type) => isObject(volume[type]) && bad(type))
      .map((type) => `volume ${JSON.stringify(stringAt(volume, 'name'))}${what(type)}`),
  );
}

function listed(names: readonly string[]): string[] {
  return names.length === 0 ? [] : [names.join(', ')];
}

const unconfined: Test = (type) => type === 'Unconfined';
const confined: Test = (type) => type === 'RuntimeDefault' || type === 'Localhost';
const mustNot = (field: string): string => `must not set ${field}`;
const mustSet = (field: string): string => `must set securityContext.${field}`;

const unmasked: Test = (mount) => mount === 'Unmasked';

/** Checks of both levels. */
const COMMON: Checks = {
  'forbidden AppArmor profile': (pod) =>
    ofNone(pod, 'appArmorProfile.type', unconfined, mustNot('AppArmor profile type to "Unconfined"')),
  'host namespaces': ({ spec }) =>
    listed(['hostNetwork=true', 'hostPID=true', 'hostIPC=true'].filter((each) => spec[each.slice(0, -5)])),
  hostPort: (pod) =>
    naming(pod, (each) => objectsAt(each, 'ports').some(({ hostPort }) => hostPort), 'uses a hostPort'),
  privileged: (pod) => ofContainers(pod, 'privileged', Boolean, mustNot('securityContext.privileged=true')),
  procMount: (pod) =>
    ofContainers(pod, 'procMount', unmasked, mustNot('securityContext.procMount to "Unmasked"')),
  'forbidden sysctls': ({ spec }) => {
    const names = objectsAt(spec, 'securityContext', 'sysctls').map((each) => stringAt(each, 'name'));
    return listed(names.filter((name) => !SYSCTLS.has(name)));
  },
};

const BASELINE: Checks = {
  ...COMMON,
  'non-default capabilities': (pod) => capabilities(pod, (name) => ADDABLE.has(name)),
  'hostPath volumes': (pod) =>
    volumes(
      pod,
      (type) => type === 'hostPath',
      () => '',
    ),
  seccompProfile: (pod) =>
    ofNone(
      pod,
      'seccompProfile.type',
      unconfined,
      mustNot('securityContext.seccompProfile.type to "Unconfined"'),
    ),
};

const RESTRICTED: Checks = {
  ...COMMON,
  'allowPrivilegeEscalation != false': (pod) => {
    const field = 'allowPrivilegeEscalation';
    return ofContainers(pod, field, (value) => value !== false, mustSet(`${field}=false`));
  },
  'unrestricted capabilities': (pod) => {
    const keeps: Test = (drop) => !Array.isArray(drop) || !drop.includes('ALL');
    const kept = ofContainers(pod, 'capabilities.drop', keeps, mustSet('capabilities.drop=["ALL"]'));
    return [...kept, ...capabilities(pod, (name) => name === 'NET_BIND_SERVICE')];
  },
  'restricted volume types': (pod) =>
    volumes(
      pod,
      (type) => !VOLUMES.has(type),
      (type) => ` uses restricted volume type ${JSON.stringify(type)}`,
    ),
  'runAsNonRoot != true': (pod) =>
    ofAll(pod, 'runAsNonRoot', (value) => value === true, mustSet('runAsNonRoot=true')),
  'runAsUser=0': (pod) => ofNone(pod, 'runAsUser', (user) => user === 0, mustNot('runAsUser=0')),
  seccompProfile: (pod) =>
    ofAll(
      pod,
      'seccompProfile.type',
      confined,
      mustSet('seccompProfile.type to "RuntimeDefault" or "Localhost"'),
    ),
};

/** The violations of a level in a pod's spec, worded as by pod-security-admission of Kubernetes 1.36 (policy version latest). */
export function podSecurityViolations(level: PodSecurityLevel, spec: JsonObject): Violation[] {
  if (level === 'privileged') return [];
  const lists = ['initContainers', 'containers', 'ephemeralContainers'];
  const pod = { spec, containers: lists.flatMap((list) => objectsAt(spec, list)) };
  const checks = level === 'baseline' ? BASELINE : RESTRICTED;
  return Object.entries(checks).flatMap(([reason, details]) => {
    const found = details(pod);
    return found.length === 0 ? [] : [{ reason, detail: found.join('; ') }];
  });
}
