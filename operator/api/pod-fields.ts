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
  'it would show the node and the pods of others',
  'remove it: engines need nothing of the node',
);
const POOL = 'set it in accelerator of the InferencePool';

const POD_SPEC: Readonly<Record<string, PodFieldAnswer>> = {
  ...same('affinity', 'automountServiceAccountToken', 'dnsConfig', 'dnsPolicy', 'hostAliases', 'hostUsers'),
  ...same('imagePullSecrets', 'initContainers', 'nodeSelector', 'priorityClassName', 'runtimeClassName'),
  ...same('schedulerName', 'securityContext', 'serviceAccountName', 'tolerations'),
  ...same('topologySpreadConstraints', 'volumes'),
  activeDeadlineSeconds: no(
    'Deployments do not admit it',
    'use scaling.schedules or suspend to stop a model at a time',
  ),
  containers: no(
    'the engine is the only container that ends with its pod',
    'use template.initContainers, with restartPolicy: Always for a sidecar; the fields of the engine are in the table of Container',
  ),
  enableServiceLinks: no('a Service named vllm would set VLLM_PORT', 'remove it: it is always false'),
  ephemeralContainers: no('a template cannot have them', 'use kubectl debug on a running pod'),
  hostIPC: HOST,
  hostNetwork: HOST,
  hostPID: HOST,
  hostname: no('every replica would have the same', 'reach the model through its pool'),
  hostnameOverride: no('every replica would have the same', 'reach the model through its pool'),
  nodeName: no('it goes past the scheduler', 'use template.nodeSelector'),
  os: no('vLLM runs on Linux', 'remove it'),
  overhead: no('Kubernetes takes it from the RuntimeClass', 'use template.runtimeClassName'),
  preemptionPolicy: no('Kubernetes takes it from the PriorityClass', 'use template.priorityClassName'),
  priority: no('Kubernetes takes it from the PriorityClass', 'use template.priorityClassName'),
  readinessGates: no(
    'an engine that only the router reaches is ready when it answers',
    'remove it; webhooks that add some go on working',
  ),
  resourceClaims: no('accelerators come from the pool, by extended resources', POOL),
  resources: { use: 'spec.template.resources' },
  restartPolicy: no('what ended is started again', 'remove it'),
  schedulingGates: no(
    'a cold start would wait for whoever removes them',
    'use capacity of the InferencePool',
  ),
  schedulingGroup: no('a replica is one pod', 'use template.schedulerName for another scheduler'),
  serviceAccount: no('it is the old name of serviceAccountName', 'use template.serviceAccountName'),
  setHostnameAsFQDN: no('nothing reaches engines by name', 'remove it'),
  shareProcessNamespace: no(
    'a sidecar could read the memory of the engine',
    'let a sidecar speak to the engine at localhost:8000',
  ),
  subdomain: no('nothing reaches engines by name', 'reach the model through its pool'),
  terminationGracePeriodSeconds: no('it follows from the time to drain', 'use engine.drainTimeout'),
};

const PROBE = no('probes follow vLLM', 'use engine.startupTimeout for slow starts');

/** Fields of the engine container. */
const CONTAINER: Readonly<Record<string, PodFieldAnswer>> = {
  ...same('env', 'envFrom', 'imagePullPolicy', 'resources', 'volumeMounts'),
  args: { use: 'spec.engine.extraArgs' },
  command: { use: 'spec.engine.command' },
  image: { use: 'spec.engine.image' },
  securityContext: { use: 'spec.template.securityContext' },
  lifecycle: no('the engine leaves the routes and drains before it ends', 'use engine.drainTimeout'),
  livenessProbe: PROBE,
  readinessProbe: PROBE,
  startupProbe: PROBE,
  name: no('the operator looks for the container engine', 'remove it'),
  ports: no('routers reach engines at port 8000', 'give a sidecar the ports that it needs'),
  resizePolicy: no('vLLM takes its memory at the start', 'remove it: changed resources roll the pods'),
  restartPolicy: no('what ended is started again', 'remove it'),
  restartPolicyRules: no('what ended is started again', 'remove it'),
  stdin: no('vLLM reads no input', 'remove it'),
  stdinOnce: no('vLLM reads no input', 'remove it'),
  tty: no('vLLM needs no terminal', 'remove it'),
  terminationMessagePath: no('the operator reads it for the status', 'remove it'),
  terminationMessagePolicy: no('the operator reads it for the status', 'remove it'),
  volumeDevices: no('vLLM reads files, not block devices', 'mount the volume with template.volumeMounts'),
  workingDir: no('vLLM takes absolute paths', 'write paths in full'),
};

const sameSecurity = (...names: string[]): Record<string, PodFieldAnswer> =>
  Object.fromEntries(names.map((name) => [name, { use: `spec.template.securityContext.${name}` }]));

const POD_SECURITY_CONTEXT: Readonly<Record<string, PodFieldAnswer>> = {
  ...sameSecurity('fsGroup', 'fsGroupChangePolicy', 'runAsGroup', 'runAsUser', 'seLinuxChangePolicy'),
  ...sameSecurity('seLinuxOptions', 'supplementalGroups', 'supplementalGroupsPolicy'),
  appArmorProfile: no("the runtime's own profile applies", 'remove it'),
  runAsNonRoot: no('it is always true', 'remove it, and name a user with runAsUser if the image has none'),
  seccompProfile: no('it is always RuntimeDefault', 'remove it'),
  sysctls: no('vLLM needs none, and some reach beyond the pod', 'set them on the nodes'),
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
    ? { reason: 'it has another name here', remedy: `use ${answer.use.replace(/^spec\./, '')}` }
    : { reason: answer.refused, remedy: answer.instead };
}
