/** InferenceModel: a model that a team wants to serve from a pool. */
import { z } from 'zod';
import { withRules } from '../values/rule.ts';
import { decimal, duration } from '../values/scalars.ts';
import { admissionOverrides } from './admission-settings.ts';
import { cacheOverrides } from './cache-settings.ts';
import { dnsLabel, objectName } from './common.ts';
import { engineSettings } from './engine-settings.ts';
import { modelSettings } from './model-source.ts';
import { podTemplate } from './pod-template.ts';
import { scalingSettings } from './scaling-settings.ts';
import { conditions } from './status.ts';

export const inferenceModelSpec = withRules(
  z.object({
    poolRef: z
      .object({
        name: objectName.describe('Name of the InferencePool.'),
        namespace: dnsLabel
          .optional()
          .describe(
            'Its namespace, which must allow that of the model. Default: the namespace of the model.',
          ),
      })
      .describe('The pool that serves the model. A change moves the model.'),
    model: modelSettings.describe('What is served. A change rolls the pods.'),
    engine: engineSettings
      .optional()
      .describe('Engine settings, field by field over those of the pool. A change rolls the pods.'),
    scaling: scalingSettings
      .optional()
      .describe('Exactly one form: `replicas`, or the others. Unset: one replica.'),
    responseCache: cacheOverrides.optional().describe("Changes to the pool's response cache."),
    priority: z
      .int()
      .min(-1000000)
      .max(1000000)
      .default(0)
      .describe('Higher keeps or gets accelerators first.'),
    admission: admissionOverrides.optional().describe("Changes to the pool's admission rules."),
    template: podTemplate.optional().describe('Changes to the engine pods.'),
    suspend: z.boolean().default(false).describe('Zero replicas and 503 with a reason; nothing is deleted.'),
  }),
  [
    {
      rule:
        '!has(self.engine) || !has(self.engine.lora) || !has(self.engine.lora.adapters) || ' +
        '!has(self.model.servedNames) || ' +
        'self.engine.lora.adapters.all(adapter, !(adapter.name in self.model.servedNames))',
      problem: 'a LoRA adapter has the name of the model',
      remedy: 'give the adapter another name, or remove the name from model.servedNames',
      fieldPath: '.model.servedNames',
      holds: ({ engine, model }) =>
        (engine?.lora?.adapters ?? []).every((adapter) => !model.servedNames?.includes(adapter.name)),
    },
  ],
);

export const MODEL_STATES = ['Idle', 'Starting', 'Serving', 'Draining', 'Suspended'] as const;

const plan = z.object({
  weightsGiB: decimal.describe('Weights on one accelerator.'),
  kvCacheGiB: decimal.describe('KV cache on one accelerator.'),
  kvCacheTokens: z.int().min(0).describe('Tokens that the KV cache of a replica holds.'),
  sequencesAtFullLength: decimal.describe('Sequences of maxModelLen tokens that fit at once.'),
});

const coldStart = z.object({
  detect: duration.optional().describe('From the held request to the scaled Deployment.'),
  schedule: duration.optional().describe('Until the pod had a node.'),
  pull: duration.optional().describe('Until the container ran.'),
  load: duration.optional().describe('Until the engine answered.'),
  ready: duration.optional().describe('Until the router had the endpoint.'),
  firstByte: duration.optional().describe('Until the first byte of the answer.'),
});

export const inferenceModelStatus = z.object({
  observedGeneration: z
    .int()
    .min(0)
    .optional()
    .describe('Generation of the spec that this status describes.'),
  conditions: conditions.optional().describe('What holds and what does not, and why.'),
  state: z.enum(MODEL_STATES).optional().describe('What the model does now.'),
  replicas: z.int().min(0).optional().describe('Pods.'),
  readyReplicas: z.int().min(0).optional().describe('Pods that serve.'),
  desiredReplicas: z.int().min(0).optional().describe('Pods that there should be.'),
  queuePosition: z
    .int()
    .min(1)
    .optional()
    .describe(
      'Place among the models that wait for accelerators of the pool; 1 is next. Absent when it does not wait.',
    ),
  schedule: z
    .object({
      open: z.array(z.string().max(63)).max(16).optional().describe('Schedules whose window is open.'),
      nextChange: z
        .string()
        .max(64)
        .meta({ format: 'date-time' })
        .optional()
        .describe('When the bounds change next.'),
    })
    .optional()
    .describe('What `scaling.schedules` do now.'),
  selector: z
    .string()
    .max(1024)
    .optional()
    .describe('Label selector of the engine pods, for the scale subresource.'),
  url: z.string().max(2048).optional().describe('Base URL of the OpenAI API that serves the model.'),
  accelerators: z.int().min(0).optional().describe('Accelerators that its pods hold.'),
  hourlyCost: decimal.optional().describe('Price of the accelerators held, per hour.'),
  plan: plan.optional().describe('What the memory plan expects of one replica.'),
  coldStart: coldStart.optional().describe('How long each part of the last cold start took.'),
});

export type InferenceModelSpec = z.infer<typeof inferenceModelSpec>;
export type InferenceModelStatus = z.infer<typeof inferenceModelStatus>;
export type ModelState = (typeof MODEL_STATES)[number];
