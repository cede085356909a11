/** InferenceModel: a model that a team wants to serve from a pool. */
import { z } from 'zod';
import { withRules } from '../values/rule.ts';
import { observedDecimal, observedDuration } from '../values/scalars.ts';
import { admissionOverrides } from './admission-settings.ts';
import { cacheOverrides } from './cache-settings.ts';
import { dnsLabel, objectName } from './common.ts';
import { engineSettings } from './engine-settings.ts';
import { modelSettings } from './model-source.ts';
import { podTemplate } from './pod-template.ts';
import { scalingSettings } from './scaling-settings.ts';
import { advice, conditions, usage } from './status.ts';

export const inferenceModelSpec = withRules(
  z.object({
    poolRef: z
      .object({
        name: objectName.describe('Name of the InferencePool.'),
        namespace: dnsLabel
          .optional()
          .describe(
            'Namespace of the pool. The pool must allow the namespace of the model. Default: the namespace of the model.',
          ),
      })
      .describe('The pool that serves the model. A change moves the model to another pool.'),
    model: modelSettings.describe('The model to serve. A change causes a rollout.'),
    engine: engineSettings
      .optional()
      .describe(
        'Engine settings, which override those of the pool field by field. A change causes a rollout.',
      ),
    scaling: scalingSettings
      .optional()
      .describe('Either `replicas` or the other fields. Default: one replica.'),
    responseCache: cacheOverrides.optional().describe("Overrides of the pool's response cache."),
    priority: z
      .int()
      .min(-1000000)
      .max(1000000)
      .default(0)
      .describe('Models with higher priority get and keep accelerators first.'),
    admission: admissionOverrides.optional().describe("Overrides of the pool's admission rules."),
    template: podTemplate.optional().describe('Changes to the engine pods.'),
    suspend: z
      .boolean()
      .default(false)
      .describe('Whether to scale to zero and respond with 503. Nothing is deleted.'),
  }),
  [
    {
      rule:
        '!has(self.engine) || !has(self.engine.lora) || !has(self.engine.lora.adapters) || ' +
        '!has(self.model.servedNames) || ' +
        'self.engine.lora.adapters.all(adapter, !(adapter.name in self.model.servedNames))',
      problem: 'a LoRA adapter has the name of the model',
      remedy: 'rename the adapter, or remove the name from model.servedNames',
      fieldPath: '.model.servedNames',
      holds: ({ engine, model }) =>
        (engine?.lora?.adapters ?? []).every((adapter) => !model.servedNames?.includes(adapter.name)),
    },
  ],
);

export const MODEL_STATES = ['Idle', 'Starting', 'Serving', 'Draining', 'Suspended'] as const;

const plan = z.object({
  weightsGiB: observedDecimal.describe('Weights on one accelerator, in GiB.'),
  kvCacheGiB: observedDecimal.describe('KV cache on one accelerator, in GiB.'),
  kvCacheTokens: z.int().min(0).describe('Capacity of the KV cache of a replica, in tokens.'),
  sequencesAtFullLength: observedDecimal.describe(
    'Number of sequences of maxModelLen tokens that fit at once.',
  ),
});

const coldStart = z.object({
  detect: observedDuration
    .optional()
    .describe('From the first waiting request until the Deployment was scaled.'),
  schedule: observedDuration.optional().describe('Until the pod was scheduled.'),
  pull: observedDuration.optional().describe('Until the container was running.'),
  load: observedDuration.optional().describe('Until the engine was ready.'),
  ready: observedDuration.optional().describe('Until the routers had the endpoint.'),
  firstByte: observedDuration.optional().describe('Until the first byte of the response.'),
});

export const inferenceModelStatus = z.object({
  observedGeneration: z
    .int()
    .min(0)
    .optional()
    .describe('Generation of the spec that this status describes.'),
  conditions: conditions.optional().describe('Conditions of the model.'),
  state: z.enum(MODEL_STATES).optional().describe('Lifecycle state of the model.'),
  replicas: z.int().min(0).optional().describe('Number of pods.'),
  readyReplicas: z.int().min(0).optional().describe('Number of ready pods.'),
  desiredReplicas: z.int().min(0).optional().describe('Desired number of pods.'),
  queuePosition: z
    .int()
    .min(1)
    .optional()
    .describe(
      'Position among the models that wait for accelerators of the pool; 1 is next. Absent if the model does not wait.',
    ),
  schedule: z
    .object({
      open: z.array(z.string().max(63)).max(16).optional().describe('Schedules whose window is open.'),
      nextChange: z
        .string()
        .max(64)
        .meta({ format: 'date-time' })
        .optional()
        .describe('Next time at which a schedule changes the bounds.'),
    })
    .optional()
    .describe('State of `scaling.schedules`.'),
  selector: z
    .string()
    .max(1024)
    .optional()
    .describe('Label selector of the engine pods, for the scale subresource.'),
  degradationTier: z
    .int()
    .min(1)
    .max(8)
    .optional()
    .describe(
      'Number of the active tier of degradation, from 1 for the mildest: the severest of all routers. Absent if there is none. Changes at most every 30 seconds.',
    ),
  url: z.string().max(2048).optional().describe('Base URL of the OpenAI API that serves the model.'),
  accelerators: z.int().min(0).optional().describe('Number of accelerators that the pods use.'),
  hourlyCost: observedDecimal.optional().describe('Price of the used accelerators, per hour.'),
  usage: usage
    .optional()
    .describe(
      'What the model used in this pool. Updated at most once a minute, and not while nothing is used.',
    ),
  advice: advice
    .optional()
    .describe(
      'How the model could use less, by the record of its usage. Updated at most once an hour, and not while nothing is used or changed. `vllm-operator advise` has the evidence and a patch for each.',
    ),
  plan: plan.optional().describe('Memory plan of one replica.'),
  coldStart: coldStart.optional().describe('Duration of each phase of the last cold start.'),
});

export type InferenceModelSpec = z.infer<typeof inferenceModelSpec>;
export type InferenceModelStatus = z.infer<typeof inferenceModelStatus>;
export type ModelState = (typeof MODEL_STATES)[number];
