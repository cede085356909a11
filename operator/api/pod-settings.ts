/**
 * Pod fields that users may set for engines, routers and Redis. Except for labels, annotations and resources, the names are
 * those of a Pod.
 */
import { z } from 'zod';
import { withRules } from '../values/rule.ts';
import { labelMap, objectName, opaque, resourceRequirements, stringMap, toleration } from './common.ts';

const OWNED_LABELS = ['name', 'instance', 'component', 'managed-by', 'part-of'].map(
  (name) => `app.kubernetes.io/${name}`,
);

const labels = withRules(labelMap, [
  {
    rule: `self.all(key, !key.startsWith('vllm-operator.dev/') && !(key in [${OWNED_LABELS.map((key) => `'${key}'`).join(', ')}]))`,
    problem: 'a label that the operator sets itself',
    remedy: 'remove the keys under vllm-operator.dev/ and the recommended app.kubernetes.io/ labels',
    reason: 'FieldValueForbidden',
    holds: (self) =>
      Object.keys(self).every((key) => !key.startsWith('vllm-operator.dev/') && !OWNED_LABELS.includes(key)),
  },
]);

const annotations = withRules(stringMap, [
  {
    rule: "self.all(key, !key.startsWith('vllm-operator.dev/'))",
    problem: 'an annotation that the operator sets itself',
    remedy: 'remove the keys under vllm-operator.dev/',
    reason: 'FieldValueForbidden',
    holds: (self) => Object.keys(self).every((key) => !key.startsWith('vllm-operator.dev/')),
  },
]);

/** Resources that every node has. */
const NATIVE_RESOURCES = ['cpu', 'memory', 'ephemeral-storage'];

/** Whether every node has the resource. All others are extended resources. */
export const isNative = (name: string): boolean =>
  NATIVE_RESOURCES.includes(name) || name.startsWith('hugepages-');

/**
 * The same in CEL, over `key`. Does not search for the slash, because the length of a key and so the cost of a search has
 * no bound.
 */
export const CEL_IS_NATIVE = `(key in [${NATIVE_RESOURCES.map((name) => `'${name}'`).join(', ')}] || key.startsWith('hugepages-'))`;

const celNative = (field: string) => `(!has(self.${field}) || self.${field}.all(key, ${CEL_IS_NATIVE}))`;

const resources = withRules(resourceRequirements, [
  {
    rule: `${celNative('requests')} && ${celNative('limits')}`,
    problem: 'accelerators and other extended resources are set in the pool',
    remedy: 'remove them here, and choose a pool that has them in accelerator',
    reason: 'FieldValueForbidden',
    holds: (self) => [self.requests, self.limits].every((asked) => Object.keys(asked ?? {}).every(isNative)),
  },
]);

const priorityClassName = withRules(objectName, [
  {
    rule: "!self.startsWith('system-')",
    problem: 'classes that start with system- are reserved for the cluster',
    remedy: 'use another PriorityClass',
    reason: 'FieldValueForbidden',
    holds: (self) => !self.startsWith('system-'),
  },
]);

const id = z.int().min(0).max(2147483647);

/** Supplemental groups of a process. */
export const supplementalGroups = z.array(id).max(16).meta({ 'x-kubernetes-list-type': 'atomic' });

/** Types that the Pod Security Standards allow. */
export const SELINUX_TYPES = [
  'container_t',
  'container_init_t',
  'container_kvm_t',
  'container_engine_t',
] as const;

const securityContext = z.object({
  runAsUser: id.min(1).optional().describe('User ID of the processes. Must not be root.'),
  runAsGroup: id.optional().describe('Group ID of the processes.'),
  fsGroup: id.optional().describe('Group that owns the volumes.'),
  fsGroupChangePolicy: z
    .enum(['OnRootMismatch', 'Always'])
    .optional()
    .describe('When the group of the files is changed. Default `OnRootMismatch`.'),
  supplementalGroups: supplementalGroups.optional().describe('Additional groups of the processes.'),
  supplementalGroupsPolicy: z
    .enum(['Merge', 'Strict'])
    .optional()
    .describe('Whether groups that the image defines are added.'),
  seLinuxOptions: z
    .object({
      level: z.string().min(1).max(128).optional().describe('SELinux level, such as `s0:c123,c456`.'),
      type: z.enum(SELINUX_TYPES).optional().describe('SELinux type.'),
    })
    .optional()
    .describe('SELinux labels.'),
  seLinuxChangePolicy: z
    .enum(['MountOption', 'Recursive'])
    .optional()
    .describe('How volumes get their SELinux label.'),
});

const list = (max: number) => z.array(opaque).max(max).meta({ 'x-kubernetes-list-type': 'atomic' });

const nodeSelectorTerm = z.object({
  matchExpressions: list(16).optional().describe('Requirements on labels of the node.'),
  matchFields: list(16).optional().describe('Requirements on fields of the node.'),
});

/** Only the fields that the operator reads are typed. */
const affinity = z.object({
  nodeAffinity: z
    .object({
      requiredDuringSchedulingIgnoredDuringExecution: z
        .object({
          nodeSelectorTerms: z
            .array(nodeSelectorTerm)
            .min(1)
            .max(16)
            .meta({ 'x-kubernetes-list-type': 'atomic' })
            .describe('Alternative terms.'),
        })
        .optional()
        .describe('Required node properties.'),
      preferredDuringSchedulingIgnoredDuringExecution: list(16)
        .optional()
        .describe('Preferred node properties.'),
    })
    .optional()
    .describe('Affinity to nodes, by label.'),
  podAffinity: opaque.optional().describe('Affinity to other pods.'),
  podAntiAffinity: opaque.optional().describe('Anti-affinity to other pods.'),
});

/** Fields to spread into the settings of each kind of pod. */
export const POD_SETTINGS = {
  labels: labels.optional().describe('Additional labels of the pods.'),
  annotations: annotations.optional().describe('Annotations of the pods.'),
  nodeSelector: labelMap
    .optional()
    .describe('Labels of the nodes that may run the pods, in addition to those that the pool selects.'),
  tolerations: z
    .array(toleration)
    .max(32)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional()
    .describe('Tolerations of the pods, in addition to those of the pool.'),
  affinity: affinity
    .optional()
    .describe('Affinity, as in a Pod. Engines still require nodes with the accelerator.'),
  topologySpreadConstraints: list(8)
    .optional()
    .describe('Topology spread of the pods, as in a Pod. Default: over zones and hosts if possible.'),
  priorityClassName: priorityClassName.optional().describe('PriorityClass of the pods.'),
  runtimeClassName: objectName.optional().describe('RuntimeClass of the pods.'),
  schedulerName: objectName.optional().describe('Scheduler of the pods.'),
  imagePullSecrets: z
    .array(z.object({ name: objectName.describe('Name of the Secret.') }))
    .max(8)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .optional()
    .describe('Secrets with credentials for the image registry.'),
  imagePullPolicy: z
    .enum(['Always', 'IfNotPresent', 'Never'])
    .optional()
    .describe('When the image is pulled. Default: that of Kubernetes.'),
  hostAliases: list(16).optional().describe('Entries of /etc/hosts, as in a Pod.'),
  dnsPolicy: z.enum(['ClusterFirst', 'Default', 'None']).optional().describe('DNS policy, as in a Pod.'),
  dnsConfig: opaque.optional().describe('Resolver settings, as in a Pod.'),
  hostUsers: z.boolean().optional().describe('`false`: each pod gets its own user namespace.'),
  securityContext: securityContext
    .optional()
    .describe(
      'Users and groups of the pods. All other fields are set as the Pod Security Standard `restricted` requires.',
    ),
  resources: resources
    .optional()
    .describe('CPU, memory and ephemeral storage. Accelerators are set in the pool.'),
} as const;

const podSettings = z.object(POD_SETTINGS);
export type PodSettings = z.infer<typeof podSettings>;
