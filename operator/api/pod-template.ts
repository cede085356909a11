/** What a model may change of its engine pods. */
import { z } from 'zod';
import { envVars, labelMap, objectName, opaque, resourceRequirements, stringMap } from './common.ts';
import { withRules } from './rule.ts';

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

const accelerated = (key: string) => key.startsWith('nvidia.com/') || key.startsWith('amd.com/');
const celNotAccelerated = (field: string) =>
  `(!has(self.${field}) || self.${field}.all(key, !key.startsWith('nvidia.com/') && !key.startsWith('amd.com/')))`;

const resources = withRules(resourceRequirements, [
  {
    rule: `${celNotAccelerated('requests')} && ${celNotAccelerated('limits')}`,
    problem: 'accelerators come from the pool',
    remedy: 'remove the accelerator resource, and choose a pool with the accelerators that the model needs',
    reason: 'FieldValueForbidden',
    holds: (self) =>
      ![...Object.keys(self.requests ?? {}), ...Object.keys(self.limits ?? {})].some(accelerated),
  },
]);

const opaqueList = (max: number) => z.array(opaque).max(max).meta({ 'x-kubernetes-list-type': 'atomic' });

export const podTemplate = z.object({
  labels: labels.optional().describe('Further labels of the engine pods.'),
  annotations: stringMap.optional().describe('Annotations of the engine pods.'),
  env: envVars.optional().describe('Environment variables; they win over those of `engine.env`.'),
  resources: resources.optional().describe('CPU and memory; accelerators come from the pool.'),
  volumes: opaqueList(32).optional().describe('Further volumes, as in a Pod.'),
  volumeMounts: opaqueList(32).optional().describe('Where the engine container mounts them, as in a Pod.'),
  serviceAccountName: objectName
    .optional()
    .describe('ServiceAccount of the pods. Default: one without rights or token that the operator makes.'),
  imagePullSecrets: z
    .array(z.object({ name: objectName.describe('Name of the Secret.') }))
    .max(8)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .optional()
    .describe('Secrets with credentials for the image registry.'),
  topologySpreadConstraints: opaqueList(8).optional().describe('How pods spread over nodes, as in a Pod.'),
});
