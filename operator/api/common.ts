/** Building blocks of both kinds: durations, quantities, names and the pieces of Kubernetes types they embed. */
import { z } from 'zod';

export const GROUP = 'vllm-operator.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** DNS-1123 label, as Kubernetes requires of namespaces and Service names. */
export const dnsLabel = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);

/** DNS-1123 subdomain, as Kubernetes requires of most object names. */
export const objectName = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);

/** A duration such as `180s`, `5m` or `1h30m`. Units: ms, s, m, h. */
export const duration = z
  .string()
  .min(2)
  .max(32)
  .regex(/^([0-9]+(ms|s|m|h))+$/);

/** A quantity of memory or CPU as Kubernetes writes them: `32Mi`, `500m`, `4`. */
export const quantity = z
  .string()
  .min(1)
  .max(32)
  .regex(/^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/);

/** A decimal number as a string, because the Kubernetes API conventions forbid floats. */
export const decimal = z
  .string()
  .min(1)
  .max(16)
  .regex(/^[0-9]+(\.[0-9]+)?$/);

export const stringMap = z.record(z.string().max(317), z.string().max(4096)).meta({ maxProperties: 64 });

/** An embedded Kubernetes object that the API server of the child validates, not ours. */
export const opaque = z.looseObject({}).meta({ 'x-kubernetes-preserve-unknown-fields': true });

export const resourceRequirements = z.object({
  requests: z.record(z.string().max(253), quantity).meta({ maxProperties: 16 }).optional(),
  limits: z.record(z.string().max(253), quantity).meta({ maxProperties: 16 }).optional(),
});

export const labelSelector = z.object({
  matchLabels: stringMap.optional(),
  matchExpressions: z
    .array(
      z.object({
        key: z.string().min(1).max(317),
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(z.string().max(63)).max(64).optional(),
      }),
    )
    .max(16)
    .optional(),
});

/** A reference to a key of a Secret in the same namespace. Pods mount it; the operator never reads it. */
export const secretKeyRef = z.object({
  name: objectName,
  key: z
    .string()
    .min(1)
    .max(253)
    .regex(/^[-._a-zA-Z0-9]+$/),
});

export const envVar = z.object({
  name: z
    .string()
    .min(1)
    .max(253)
    .regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/),
  value: z.string().max(4096).optional(),
  valueFrom: opaque.optional(),
});

export const toleration = z.object({
  key: z.string().max(317).optional(),
  operator: z.enum(['Exists', 'Equal']).optional(),
  value: z.string().max(63).optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
  tolerationSeconds: z.int().min(0).optional(),
});

export type LabelSelector = z.infer<typeof labelSelector>;
export type ResourceRequirements = z.infer<typeof resourceRequirements>;
export type EnvVar = z.infer<typeof envVar>;
export type Toleration = z.infer<typeof toleration>;
