/** InferencePool: a slice of accelerators, how to reach them, and the router and cache in front of them. */
import { z } from 'zod';
import {
  decimal,
  dnsLabel,
  duration,
  labelSelector,
  objectName,
  quantity,
  resourceRequirements,
  secretKeyRef,
  stringMap,
  toleration,
} from './common.ts';
import { engineSettings } from './engine-settings.ts';
import { conditions } from './status.ts';

/** Products of the catalog (operator/engine/accelerators.ts has their facts). */
export const ACCELERATOR_PRODUCTS = [
  'A100',
  'A100-40GB',
  'H100',
  'H200',
  'B200',
  'L4',
  'L40S',
  'A10',
  'T4',
  'MI300X',
] as const;

const accelerator = z.object({
  type: z
    .string()
    .max(32)
    .regex(/^(custom|(A100|A100-40GB|H100|H200|B200|L4|L40S|A10|T4|MI300X)(x([1-9]|1[0-6]))?)$/)
    .describe(
      '`<product>[x<count>]`: the accelerators of one replica, such as `A100`, `H100x4`, `H100x8`; or `custom`.',
    ),
  custom: z
    .object({
      resourceName: z
        .string()
        .min(1)
        .max(253)
        .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/)
        .describe('Extended resource that a pod asks for, such as `nvidia.com/mig-3g.40gb`.'),
      count: z.int().min(1).max(64).describe('Accelerators of one replica.'),
      memoryGiB: z.int().min(1).max(4096).describe('Memory of one accelerator.'),
      product: z
        .string()
        .min(1)
        .max(63)
        .optional()
        .describe('Value of the node label `nvidia.com/gpu.product`.'),
    })
    .optional(),
  nodeSelector: stringMap
    .optional()
    .describe('Where pods may run. Set, it replaces the node affinity of the catalog.'),
  tolerations: z.array(toleration).max(32).meta({ 'x-kubernetes-list-type': 'atomic' }).optional(),
  runtimeClassName: objectName.optional(),
  priorityClassName: objectName.optional(),
  hourlyCost: decimal.optional().describe('Price of one accelerator-hour, in a currency of your choice.'),
  spot: z.boolean().optional().describe('The nodes may be reclaimed: tolerate their taints and drain early.'),
});

const capacity = z.object({
  accelerators: z
    .int()
    .min(0)
    .max(100000)
    .optional()
    .describe('Accelerators that the pool may hold at once. Unset: no budget.'),
  namespaceQuotas: z
    .array(z.object({ namespace: dnsLabel, accelerators: z.int().min(0).max(100000) }))
    .max(256)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['namespace'] })
    .optional(),
  overcommit: z
    .boolean()
    .default(false)
    .describe(
      'false: a model is charged its maximum when accepted. true: charged what runs, and priority decides who wakes.',
    ),
});

const allowedNamespaces = z.object({
  from: z.enum(['Same', 'All', 'Selector']).default('Same'),
  selector: labelSelector.optional().describe('Labels of namespaces, with `from: Selector`.'),
});

const router = z.object({
  replicas: z.int().min(1).max(64).default(2),
  image: z.string().min(1).max(512).optional(),
  resources: resourceRequirements.optional(),
  service: z
    .object({
      type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer']).default('ClusterIP'),
      port: z.int().min(1).max(65535).default(80),
      annotations: stringMap.optional(),
    })
    .prefault({}),
  ingress: z
    .object({
      className: objectName.optional(),
      host: z
        .string()
        .min(1)
        .max(253)
        .regex(/^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/),
      tlsSecretName: objectName.optional(),
      annotations: stringMap.optional(),
    })
    .optional(),
  tls: z
    .object({ secretName: objectName })
    .optional()
    .describe('Serve HTTPS with this kubernetes.io/tls Secret.'),
  maxBodySize: quantity.default('32Mi'),
  readTimeout: duration.default('10m').describe('Longest silence of an engine before the router gives up.'),
  loadBalancing: z.enum(['PrefixAffinity', 'LeastRequests']).default('PrefixAffinity'),
  auth: z.object({ mode: z.enum(['None', 'APIKey']).default('None') }).prefault({}),
});

const managedRedis = z.object({
  image: z.string().min(1).max(512).optional(),
  memory: quantity.default('1Gi').describe('Memory for cached answers (`maxmemory`).'),
});

const responseCache = z.object({
  enabled: z.boolean().default(true),
  ttl: duration.default('5m'),
  policy: z
    .enum(['Deterministic', 'All'])
    .default('Deterministic')
    .describe('Deterministic: only what `temperature: 0` or a `seed` makes repeatable.'),
  maxEntrySize: quantity.default('1Mi'),
  redis: z
    .object({
      managed: managedRedis.optional(),
      external: z
        .object({ secretRef: secretKeyRef.describe('Holds a redis:// or rediss:// URL.') })
        .optional(),
    })
    .optional()
    .describe('Exactly one of `managed` and `external`; unset is `managed`.'),
});

/** One step of degradation: as the queue grows, answers get shorter. */
export const degradationTier = z.object({
  queueAbove: z.int().min(0).max(100000).describe('Queued requests above which the tier is active.'),
  maxTokens: z.int().min(1).max(1048576).describe('Cap on the tokens of an answer while it is.'),
});

/** Admission rules; the pool has defaults, a model may override each. */
export const admissionOverrides = z.object({
  maxQueue: z.int().min(0).max(100000).optional(),
  queueTimeout: duration.optional(),
  wakeTimeout: duration.optional(),
  degradation: z.array(degradationTier).max(8).meta({ 'x-kubernetes-list-type': 'atomic' }).optional(),
});

const admission = z.object({
  maxQueue: z.int().min(0).max(100000).default(256).describe('Requests that may wait, per model and router.'),
  queueTimeout: duration.default('30s').describe('How long a request waits for capacity.'),
  wakeTimeout: duration.default('15m').describe('How long a request waits for a model that is starting.'),
  degradation: z.array(degradationTier).max(8).meta({ 'x-kubernetes-list-type': 'atomic' }).optional(),
});

export const inferencePoolSpec = z.object({
  accelerator,
  capacity: capacity.prefault({}),
  allowedNamespaces: allowedNamespaces.prefault({}),
  engine: engineSettings.optional(),
  router: router.prefault({}),
  responseCache: responseCache.prefault({}),
  admission: admission.prefault({}),
});

export const inferencePoolStatus = z.object({
  observedGeneration: z.int().min(0).optional(),
  conditions: conditions.optional(),
  url: z.string().max(2048).optional().describe('Base URL of the OpenAI API inside the cluster.'),
  models: z.int().min(0).optional().describe('Models that this pool has accepted.'),
  accelerators: z.int().min(0).optional().describe('Accelerators that its pods hold.'),
  routerReplicas: z.int().min(0).optional(),
  readyRouterReplicas: z.int().min(0).optional(),
  hourlyCost: decimal.optional(),
});

export type InferencePoolSpec = z.infer<typeof inferencePoolSpec>;
export type InferencePoolStatus = z.infer<typeof inferencePoolStatus>;
export type AdmissionOverrides = z.infer<typeof admissionOverrides>;
export type DegradationTier = z.infer<typeof degradationTier>;
