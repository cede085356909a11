/**
 * For every field of a Pod in a Deployment: the field of InferenceModel to use, or why it is not supported and the
 * alternative.
 */

export type PodFieldAnswer =
  /** Path of the field to use. */
  | { use: string }
  /** Why it is rejected, and the remedy, without a full stop. */
  | { refused: string; instead: string };

const same = (...names: string[]): Record<string, PodFieldAnswer> =>
  Object.fromEntries(names.map((name) => [name, { use: `spec.template.${name}` }]));
const no = (refused: string, instead: string): PodFieldAnswer => ({ refused, instead });

const HOST = no(
  'it would expose the node and the pods of others',
  'remove it; engines do not need access to the node',
);
const POOL = 'set it in accelerator of the InferencePool';

const POD_SPEC: Readonly<Record<string, PodFieldAnswer>> = {
  ...same('affinity', 'automountServiceAccountToken', 'dnsConfig', 'dnsPolicy', 'hostAliases', 'hostUsers'),
  ...same('imagePullSecrets', 'initContainers', 'nodeSelector', 'priorityClassName', 'runtimeClassName'),
  ...same('schedulerName', 'securityContext', 'serviceAccountName', 'tolerations'),
  ...same('topologySpreadConstraints', 'volumes'),
  activeDeadlineSeconds: no(
    'Deployments do not support it',
    'use scaling.schedules or suspend to stop a model',
  ),
  containers: no(
    'the pod has only the engine container',
    'use template.initContainers, with restartPolicy: Always for a sidecar; for the engine container, see the table Container',
  ),
  enableServiceLinks: no('a Service named vllm would set VLLM_PORT', 'remove it; it is always false'),
  ephemeralContainers: no('pod templates do not support them', 'use kubectl debug on a running pod'),
  hostIPC: HOST,
  hostNetwork: HOST,
  hostPID: HOST,
  hostname: no('all replicas would have the same', 'use the router of the pool to reach the model'),
  hostnameOverride: no('all replicas would have the same', 'use the router of the pool to reach the model'),
  nodeName: no('it bypasses the scheduler', 'use template.nodeSelector'),
  os: no('vLLM runs on Linux', 'remove it'),
  overhead: no('Kubernetes sets it from the RuntimeClass', 'use template.runtimeClassName'),
  preemptionPolicy: no('Kubernetes sets it from the PriorityClass', 'use template.priorityClassName'),
  priority: no('Kubernetes sets it from the PriorityClass', 'use template.priorityClassName'),
  readinessGates: no(
    'only routers reach an engine, so its readiness probe is sufficient',
    'remove it; gates that webhooks add still work',
  ),
  resourceClaims: no('accelerators are extended resources, which the pool sets', POOL),
  resources: { use: 'spec.template.resources' },
  restartPolicy: no('containers are always restarted', 'remove it'),
  schedulingGates: no('a cold start would wait until they are removed', 'use capacity of the InferencePool'),
  schedulingGroup: no('a replica is one pod', 'use template.schedulerName to use another scheduler'),
  serviceAccount: no('it is a deprecated alias of serviceAccountName', 'use template.serviceAccountName'),
  setHostnameAsFQDN: no('engines are not reached by name', 'remove it'),
  shareProcessNamespace: no(
    'a sidecar could read the memory of the engine',
    'let the sidecar use the engine at localhost:8000',
  ),
  subdomain: no('engines are not reached by name', 'use the router of the pool to reach the model'),
  terminationGracePeriodSeconds: no('it is derived from the drain timeout', 'use engine.drainTimeout'),
};

const PROBE = no('the operator sets probes for vLLM', 'use engine.startupTimeout for slow starts');

/** Fields of the engine container. */
const CONTAINER: Readonly<Record<string, PodFieldAnswer>> = {
  ...same('env', 'envFrom', 'imagePullPolicy', 'resources', 'volumeMounts'),
  args: { use: 'spec.engine.extraArgs' },
  command: { use: 'spec.engine.command' },
  image: { use: 'spec.engine.image' },
  securityContext: { use: 'spec.template.securityContext' },
  lifecycle: no('the operator uses it to drain the engine', 'use engine.drainTimeout'),
  livenessProbe: PROBE,
  readinessProbe: PROBE,
  startupProbe: PROBE,
  name: no('the operator expects the name engine', 'remove it'),
  ports: no('routers reach engines on port 8000', 'set ports only for sidecars'),
  resizePolicy: no('vLLM allocates its memory at start', 'remove it; changed resources cause a rollout'),
  restartPolicy: no('containers are always restarted', 'remove it'),
  restartPolicyRules: no('containers are always restarted', 'remove it'),
  stdin: no('vLLM reads no input', 'remove it'),
  stdinOnce: no('vLLM reads no input', 'remove it'),
  tty: no('vLLM needs no terminal', 'remove it'),
  terminationMessagePath: no('the operator reads it for its status', 'remove it'),
  terminationMessagePolicy: no('the operator reads it for its status', 'remove it'),
  volumeDevices: no('vLLM reads files, not block devices', 'mount the volume with template.volumeMounts'),
  workingDir: no('vLLM gets absolute paths', 'use absolute paths'),
};

const sameSecurity = (...names: string[]): Record<string, PodFieldAnswer> =>
  Object.fromEntries(names.map((name) => [name, { use: `spec.template.securityContext.${name}` }]));

const POD_SECURITY_CONTEXT: Readonly<Record<string, PodFieldAnswer>> = {
  ...sameSecurity('fsGroup', 'fsGroupChangePolicy', 'runAsGroup', 'runAsUser', 'seLinuxChangePolicy'),
  ...sameSecurity('seLinuxOptions', 'supplementalGroups', 'supplementalGroupsPolicy'),
  appArmorProfile: no("the runtime's own profile applies", 'remove it'),
  runAsNonRoot: no('it is always true', 'remove it, and set runAsUser if the image has no user'),
  seccompProfile: no('it is always RuntimeDefault', 'remove it'),
  sysctls: no('vLLM needs none, and some affect more than the pod', 'set them on the nodes'),
  windowsOptions: no('vLLM runs on Linux', 'remove it'),
};

/** By the name of the Kubernetes type. `Container` is the engine container. */
export const POD_FIELDS = {
  PodSpec: POD_SPEC,
  Container: CONTAINER,
  PodSecurityContext: POD_SECURITY_CONTEXT,
} as const;

/** Why a Pod field that is not in the schema is rejected; undefined if the path is not a field of a Pod. */
export function refusedPodField(path: string): { reason: string; remedy: string } | undefined {
  const [, , context, name] = /^spec\.template\.((securityContext)\.)?([A-Za-z]{1,64})$/.exec(path) ?? [];
  if (name === undefined) return undefined;
  const tables = context === undefined ? [POD_SPEC, CONTAINER] : [POD_SECURITY_CONTEXT];
  const answer = tables.find((table) => Object.hasOwn(table, name))?.[name];
  if (answer === undefined) return undefined;
  return 'use' in answer
    ? { reason: 'it has another name in InferenceModel', remedy: `use ${answer.use.replace(/^spec\./, '')}` }
    : { reason: answer.refused, remedy: answer.instead };
}
