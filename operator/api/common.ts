/** Shared building blocks: durations, quantities, names and embedded Kubernetes types. */
import { z } from 'zod';
import { matching } from '../values/matching.ts';
import { withRules } from '../values/rule.ts';
import { quantity } from '../values/scalars.ts';

export const GROUP = 'vllm-operator.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** DNS-1123 label, as required for namespaces and Services. */
export const dnsLabel = matching(z.string().min(1).max(63), /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, {
  problem: 'not a DNS label',
  remedy: 'use lower-case letters, digits and hyphens; begin and end with a letter or digit',
});

/** DNS-1123 subdomain, as required for most object names. */
export const objectName = z
  .string()
  .min(1)
  .max(253)
  .regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    'use lower-case letters, digits, hyphens and dots; begin and end with a letter or digit',
  );

export const stringMap = z.record(z.string().max(317), z.string().max(4096)).meta({ maxProperties: 64 });

/** Labels, or a selector of labels. */
export const labelMap = z.record(z.string().max(317), z.string().max(63)).meta({ maxProperties: 64 });

/** An embedded Kubernetes object that the API server only validates when the child is created. */
export const opaque = z.looseObject({});

const resourceMap = z.record(z.string().max(253), quantity).meta({ maxProperties: 16 });

export const resourceRequirements = z.object({
  requests: resourceMap.optional().describe('Resources that the scheduler reserves, by name.'),
  limits: resourceMap.optional().describe('Limits of the container, by resource name.'),
});

const labelSelectorRequirement = withRules(
  z.object({
    key: z.string().min(1).max(317).describe('Label key.'),
    operator: z
      .enum(['In', 'NotIn', 'Exists', 'DoesNotExist'])
      .describe('How the key relates to the values.'),
    values: z
      .array(z.string().max(63))
      .max(64)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe('Values, for `In` and `NotIn` only.'),
  }),
  [
    {
      rule: "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
      problem: 'values is required with the operators In and NotIn, and not allowed with others',
      remedy: 'set values with In or NotIn, and remove it with Exists or DoesNotExist',
      fieldPath: '.values',
      holds: (self) =>
        ['In', 'NotIn'].includes(self.operator) === (self.values !== undefined && self.values.length > 0),
    },
  ],
);

export const labelSelector = z.object({
  matchLabels: labelMap.optional().describe('Required label values.'),
  matchExpressions: z
    .array(labelSelectorRequirement)
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional()
    .describe('Additional requirements, which must all be met.'),
});

/** A reference to a key of a Secret in the same namespace. Only pods mount it; the operator never reads it. */
export const secretKeyRef = z.object({
  name: objectName.describe('Name of the Secret, in the same namespace.'),
  key: z
    .string()
    .min(1)
    .max(253)
    .regex(/^[-._a-zA-Z0-9]+$/)
    .describe('Key in the Secret.'),
});

const envVar = withRules(
  z.object({
    name: z
      .string()
      .min(1)
      .max(253)
      .regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/)
      .describe('Name of the variable.'),
    value: z.string().max(4096).optional().describe('Value of the variable.'),
    valueFrom: opaque
      .optional()
      .describe('Source of the value, as in a Pod: `secretKeyRef`, `configMapKeyRef`, `fieldRef`, …'),
  }),
  [
    {
      rule: '!(has(self.value) && has(self.valueFrom))',
      problem: 'value and valueFrom exclude each other',
      remedy: 'keep one of them',
      fieldPath: '.valueFrom',
      reason: 'FieldValueForbidden',
      holds: (self) => self.value === undefined || self.valueFrom === undefined,
    },
  ],
);

/** Environment variables of a container. */
export const envVars = z
  .array(envVar)
  .max(64)
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] });

export const toleration = z.object({
  key: z.string().max(317).optional().describe('Taint key; unset with `Exists` matches every taint.'),
  operator: z.enum(['Exists', 'Equal']).optional().describe('How the key relates to the value.'),
  value: z.string().max(63).optional().describe('Taint value, with `Equal`.'),
  effect: z
    .enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
    .optional()
    .describe('Taint effect; unset matches all.'),
  tolerationSeconds: z
    .int()
    .min(0)
    .max(2147483647)
    .optional()
    .describe('How long the pod stays on the node, with `NoExecute`.'),
});

export type EnvVar = z.infer<typeof envVar>;
