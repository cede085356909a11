/** InferenceModel: a model that a team wants served from a pool. */
import { z } from 'zod';
import {
  decimal,
  dnsLabel,
  duration,
  envVar,
  objectName,
  opaque,
  quantity,
  resourceRequirements,
  secretKeyRef,
  stringMap,
} from './common.ts';
import { engineSettings } from './engine-settings.ts';
import { admissionOverrides } from './inference-pool.ts';
import { conditions } from './status.ts';

const source = z
  .string()
  .min(1)
  .max(1024)
  .regex(/^(hf:\/\/[^/\s]+\/[^/\s]+|s3:\/\/\S+|gs:\/\/\S+|pvc:\/\/[a-z0-9][-a-z0-9.]*(\/\S*)?|oci:\/\/\S+)$/)
  .describe(
    '`hf://org/name`, `s3://bucket/path`, `gs://bucket/path`, `pvc://claim/path` or `oci://image` (image volume).',
  );

const modelCache = z.object({
  pvc: z
    .object({
      claimName: objectName.optional().describe('An existing claim. Unset: the operator makes one.'),
      size: quantity.optional().describe('Size of the claim that the operator makes.'),
      storageClassName: objectName.optional(),
      accessModes: z
        .array(z.enum(['ReadWriteOnce', 'ReadWriteMany', 'ReadOnlyMany', 'ReadWriteOncePod']))
        .max(4)
        .optional(),
    })
    .optional(),
  emptyDir: z.object({ sizeLimit: quantity.optional() }).optional(),
});

/** Shape of a model for the memory plan (names as in Hugging Face's config.json where it has them). */
export const modelFacts = z.object({
  parametersBillions: decimal.describe('Parameters, in 10^9.'),
  weightsGiB: decimal
    .optional()
    .describe('Size of the weights, if it does not follow from parameters and data type.'),
  layers: z.int().min(1).max(1024),
  attentionHeads: z.int().min(1).max(4096),
  kvHeads: z.int().min(1).max(4096),
  headDim: z.int().min(1).max(4096),
  maxPositionEmbeddings: z.int().min(1).max(16777216).optional(),
  kvLoraRank: z.int().min(1).max(65536).optional().describe('Latent attention (MLA) only.'),
  qkRopeHeadDim: z.int().min(1).max(65536).optional().describe('Latent attention (MLA) only.'),
});

const model = z.object({
  source,
  revision: z.string().min(1).max(128).optional(),
  tokenSecretRef: secretKeyRef.optional().describe('Hugging Face token.'),
  trustRemoteCode: z.boolean().default(false),
  cache: modelCache.optional(),
  servedNames: z
    .array(
      z
        .string()
        .min(1)
        .max(253)
        .regex(/^[A-Za-z0-9]([-A-Za-z0-9._/:]*[A-Za-z0-9])?$/),
    )
    .min(1)
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'set' })
    .optional()
    .describe('Names in the OpenAI API. Default: the name of the InferenceModel.'),
  facts: modelFacts.optional(),
});

const scalingPolicy = z.object({
  type: z.enum(['Pods', 'Percent']),
  value: z.int().min(1).max(1000),
  periodSeconds: z.int().min(1).max(1800),
});
const scalingRules = z.object({
  stabilizationWindowSeconds: z.int().min(0).max(3600).optional(),
  selectPolicy: z.enum(['Max', 'Min', 'Disabled']).optional(),
  tolerance: decimal.optional(),
  policies: z.array(scalingPolicy).max(8).meta({ 'x-kubernetes-list-type': 'atomic' }).optional(),
});

const scaling = z.object({
  replicas: z
    .int()
    .min(0)
    .max(1000)
    .optional()
    .describe('A fixed number of replicas. Excludes all other fields.'),
  minReplicas: z.int().min(0).max(1000).optional().describe('0 allows scale to zero.'),
  maxReplicas: z.int().min(1).max(1000).optional(),
  idleTimeout: duration
    .optional()
    .describe('Silence after which a model that may go to zero is put to sleep. Default 180s.'),
  target: z
    .int()
    .min(1)
    .max(65536)
    .optional()
    .describe('Requests in flight or queued per replica. Default: 70 % of maxNumSeqs.'),
  behavior: z.object({ scaleUp: scalingRules.optional(), scaleDown: scalingRules.optional() }).optional(),
  schedules: z
    .array(
      z.object({
        name: dnsLabel,
        start: z.string().min(9).max(128).describe('Cron expression.'),
        end: z.string().min(9).max(128).describe('Cron expression.'),
        timeZone: z.string().min(1).max(64).optional().describe('IANA name; default UTC.'),
        minReplicas: z.int().min(0).max(1000).optional(),
        maxReplicas: z.int().min(0).max(1000).optional(),
      }),
    )
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .optional(),
  mode: z
    .enum(['Auto', 'HPA', 'Internal', 'External'])
    .optional()
    .describe('Who decides between 1 and maxReplicas. Default Auto.'),
});

const podTemplate = z.object({
  labels: stringMap.optional(),
  annotations: stringMap.optional(),
  env: z
    .array(envVar)
    .max(64)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .optional(),
  resources: resourceRequirements.optional().describe('CPU and memory; accelerators come from the pool.'),
  volumes: z.array(opaque).max(32).meta({ 'x-kubernetes-list-type': 'atomic' }).optional(),
  volumeMounts: z.array(opaque).max(32).meta({ 'x-kubernetes-list-type': 'atomic' }).optional(),
  serviceAccountName: objectName.optional(),
  imagePullSecrets: z
    .array(z.object({ name: objectName }))
    .max(8)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .optional(),
  topologySpreadConstraints: z.array(opaque).max(8).meta({ 'x-kubernetes-list-type': 'atomic' }).optional(),
});

export const inferenceModelSpec = z.object({
  poolRef: z.object({
    name: objectName,
    namespace: dnsLabel.optional().describe('Default: the namespace of the model.'),
  }),
  model,
  engine: engineSettings.optional(),
  scaling: scaling.optional().describe('Exactly one form: `replicas`, or the others. Unset: one replica.'),
  responseCache: z
    .object({
      enabled: z.boolean().optional(),
      ttl: duration.optional(),
      policy: z.enum(['Deterministic', 'All']).optional(),
    })
    .optional(),
  priority: z
    .int()
    .min(-1000000)
    .max(1000000)
    .default(0)
    .describe('Higher keeps or gets accelerators first.'),
  admission: admissionOverrides.optional(),
  template: podTemplate.optional(),
  suspend: z.boolean().default(false).describe('Zero replicas and 503 with a reason; nothing is deleted.'),
});

export const MODEL_STATES = ['Idle', 'Starting', 'Serving', 'Draining', 'Suspended'] as const;

export const inferenceModelStatus = z.object({
  observedGeneration: z.int().min(0).optional(),
  conditions: conditions.optional(),
  state: z.enum(MODEL_STATES).optional(),
  replicas: z.int().min(0).optional(),
  readyReplicas: z.int().min(0).optional(),
  desiredReplicas: z.int().min(0).optional(),
  selector: z
    .string()
    .max(1024)
    .optional()
    .describe('Label selector of the engine pods, for the scale subresource.'),
  url: z.string().max(2048).optional(),
  accelerators: z.int().min(0).optional().describe('Accelerators that its pods hold.'),
  hourlyCost: decimal.optional(),
  plan: z
    .object({
      weightsGiB: decimal,
      kvCacheGiB: decimal,
      kvCacheTokens: z.int().min(0),
      sequencesAtFullLength: decimal,
    })
    .optional()
    .describe('What the memory plan expects of one replica.'),
  coldStart: z
    .object({
      detect: duration.optional(),
      schedule: duration.optional(),
      pull: duration.optional(),
      load: duration.optional(),
      ready: duration.optional(),
      firstByte: duration.optional(),
    })
    .optional()
    .describe('How long each part of the last cold start took.'),
});

export type InferenceModelSpec = z.infer<typeof inferenceModelSpec>;
export type InferenceModelStatus = z.infer<typeof inferenceModelStatus>;
export type ModelFacts = z.infer<typeof modelFacts>;
export type ModelState = (typeof MODEL_STATES)[number];
