import {
  ensureObject,
  isObject,
  type Json,
  type JsonObject,
  objectsAt,
  setDefault,
  stringAt,
} from '../json.ts';

const FILE_MODE = 420;
const TOKEN_SECONDS = 3607;

/** Defaults of a PodSpec wherever it appears (pkg/apis/core/v1/defaults.go). Changes the spec. */
export function defaultPodSpec(spec: JsonObject): void {
  setDefault(spec, 'restartPolicy', 'Always');
  setDefault(spec, 'terminationGracePeriodSeconds', 30);
  setDefault(spec, 'dnsPolicy', 'ClusterFirst');
  setDefault(spec, 'securityContext', {});
  setDefault(spec, 'schedulerName', 'default-scheduler');
  if (spec.serviceAccountName !== undefined) setDefault(spec, 'serviceAccount', spec.serviceAccountName);
  for (const list of ['initContainers', 'containers', 'ephemeralContainers']) {
    for (const container of objectsAt(spec, list)) defaultContainer(container, spec.hostNetwork === true);
  }
  for (const volume of objectsAt(spec, 'volumes')) defaultVolume(volume);
}

/** The spec of a pod template under a workload's spec, with defaults. Changes it. */
export function defaultTemplate(workloadSpec: JsonObject): void {
  defaultPodSpec(ensureObject(ensureObject(workloadSpec, 'template'), 'spec'));
}

function defaultContainer(container: JsonObject, hostNetwork: boolean): void {
  setDefault(container, 'terminationMessagePath', '/dev/termination-log');
  setDefault(container, 'terminationMessagePolicy', 'File');
  setDefault(container, 'imagePullPolicy', pullPolicy(stringAt(container, 'image')));
  setDefault(container, 'resources', {});
  for (const port of objectsAt(container, 'ports')) {
    setDefault(port, 'protocol', 'TCP');
    if (hostNetwork && port.containerPort !== undefined) setDefault(port, 'hostPort', port.containerPort);
  }
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    const probe = container[name];
    if (isObject(probe)) defaultProbe(probe);
  }
  const lifecycle = container.lifecycle;
  if (isObject(lifecycle)) {
    for (const hook of Object.values(lifecycle)) if (isObject(hook)) defaultHttpGet(hook);
  }
  for (const variable of objectsAt(container, 'env')) {
    const source = variable.valueFrom;
    if (isObject(source) && isObject(source.fieldRef)) setDefault(source.fieldRef, 'apiVersion', 'v1');
  }
}

function pullPolicy(image: string): string {
  if (image.includes('@')) return 'IfNotPresent';
  const tag = /:([^/:]+)$/.exec(image)?.[1] ?? 'latest';
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function defaultProbe(probe: JsonObject): void {
  // In Go, zero and unset are the same for these fields.
  for (const key of ['timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'])
    if (probe[key] === 0) delete probe[key];
  setDefault(probe, 'timeoutSeconds', 1);
  setDefault(probe, 'periodSeconds', 10);
  setDefault(probe, 'successThreshold', 1);
  setDefault(probe, 'failureThreshold', 3);
  defaultHttpGet(probe);
  if (isObject(probe.grpc)) setDefault(probe.grpc, 'service', '');
}

function defaultHttpGet(handler: JsonObject): void {
  const get = handler.httpGet;
  if (!isObject(get)) return;
  setDefault(get, 'path', '/');
  setDefault(get, 'scheme', 'HTTP');
}

function defaultVolume(volume: JsonObject): void {
  const sources = Object.keys(volume).filter((key) => key !== 'name');
  if (sources.length === 0) volume.emptyDir = {};
  for (const name of ['secret', 'configMap', 'projected', 'downwardAPI']) {
    const source = volume[name];
    if (isObject(source)) setDefault(source, 'defaultMode', FILE_MODE);
  }
  if (isObject(volume.hostPath)) setDefault(volume.hostPath, 'type', '');
  const downward: Json[] = [
    volume.downwardAPI ?? null,
    ...objectsAt(volume, 'projected', 'sources').map((source) => source.downwardAPI ?? null),
  ];
  for (const source of downward) {
    for (const item of objectsAt(source, 'items')) {
      if (isObject(item.fieldRef)) setDefault(item.fieldRef, 'apiVersion', 'v1');
    }
  }
  for (const source of objectsAt(volume, 'projected', 'sources')) {
    if (isObject(source.serviceAccountToken))
      setDefault(source.serviceAccountToken, 'expirationSeconds', 3600);
  }
}

/** Defaults that only Pods themselves have, not their templates. Changes the spec. */
export function defaultNewPod(spec: JsonObject): void {
  setDefault(spec, 'enableServiceLinks', true);
  requestsFromLimits(spec);
}

/** What admission adds to a new Pod, without a field manager: service account and its token, tolerations, priority. */
export function admitPodSpec(spec: JsonObject, suffix: string): void {
  setDefault(spec, 'serviceAccountName', 'default');
  setDefault(spec, 'serviceAccount', spec.serviceAccountName ?? 'default');
  setDefault(spec, 'priority', 0);
  setDefault(spec, 'preemptionPolicy', 'PreemptLowerPriority');
  const tolerations = objectsAt(spec, 'tolerations');
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
    if (tolerations.some((each) => each.key === key || each.key === undefined)) continue;
    tolerations.push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 });
  }
  spec.tolerations = tolerations;
  if (spec.automountServiceAccountToken !== false) mountToken(spec, `kube-api-access-${suffix}`);
}

function requestsFromLimits(spec: JsonObject): void {
  for (const list of ['initContainers', 'containers']) {
    for (const container of objectsAt(spec, list)) {
      const resources = container.resources;
      if (!isObject(resources) || !isObject(resources.limits)) continue;
      resources.requests = {
        ...resources.limits,
        ...(isObject(resources.requests) ? resources.requests : {}),
      };
    }
  }
}

const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';

function mountToken(spec: JsonObject, name: string): void {
  let used = false;
  for (const list of ['initContainers', 'containers']) {
    for (const container of objectsAt(spec, list)) {
      const mounts = objectsAt(container, 'volumeMounts');
      if (mounts.some((mount) => mount.mountPath === TOKEN_PATH)) continue;
      mounts.push({ name, readOnly: true, mountPath: TOKEN_PATH });
      container.volumeMounts = mounts;
      used = true;
    }
  }
  if (!used) return;
  const volumes = objectsAt(spec, 'volumes');
  volumes.push({
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
      defaultMode: FILE_MODE,
    },
  });
  spec.volumes = volumes;
}

/** The quality-of-service class of a pod's containers. */
export function qosClass(spec: JsonObject): string {
  const containers = [...objectsAt(spec, 'initContainers'), ...objectsAt(spec, 'containers')];
  const parts = containers.map((container) => (isObject(container.resources) ? container.resources : {}));
  const has = (part: JsonObject, key: string, name: string): boolean => stringAt(part, key, name) !== '';
  const any = parts.some((part) =>
    ['cpu', 'memory'].some((name) => has(part, 'limits', name) || has(part, 'requests', name)),
  );
  if (!any) return 'BestEffort';
  const all = parts.every((part) =>
    ['cpu', 'memory'].every(
      (name) =>
        has(part, 'limits', name) &&
        stringAt(part, 'limits', name) ===
          (stringAt(part, 'requests', name) || stringAt(part, 'limits', name)),
    ),
  );
  return all ? 'Guaranteed' : 'Burstable';
}
