/** How many requests wait, for how long, and what is degraded meanwhile. */
import { z } from 'zod';
import { DEFAULTS } from '../values/defaults.ts';
import { withRules } from '../values/rule.ts';
import { duration } from '../values/scalars.ts';

/** One step of degradation. Responses become shorter as the queue grows. */
const degradationTier = z.object({
  queueAbove: z
    .int()
    .min(0)
    .max(100000)
    .describe('Number of queued requests above which the tier is active.'),
  maxTokens: z
    .int()
    .min(1)
    .max(1048576)
    .describe('Limit of the tokens of a response while the tier is active.'),
});

const degradation = withRules(z.array(degradationTier).max(8).meta({ 'x-kubernetes-list-type': 'atomic' }), [
  {
    rule: 'self.all(a, self.exists_one(b, a.queueAbove == b.queueAbove))',
    problem: 'two tiers have the same queueAbove',
    remedy: 'remove one of them',
    holds: (self) => new Set(self.map((tier) => tier.queueAbove)).size === self.length,
  },
  {
    rule: 'self.all(a, self.all(b, a.queueAbove >= b.queueAbove || a.maxTokens > b.maxTokens))',
    problem: 'a tier for a longer queue must allow fewer tokens',
    remedy: 'lower maxTokens from tier to tier as queueAbove grows',
    holds: (self) =>
      self.every((a) => self.every((b) => a.queueAbove >= b.queueAbove || a.maxTokens > b.maxTokens)),
  },
]);

const maxQueue = z.int().min(0).max(100000);

/** Admission rules of the pool that a model may override. */
export const admissionOverrides = z.object({
  maxQueue: maxQueue
    .optional()
    .describe('Number of requests that may wait, per router. Default: that of the pool.'),
  queueTimeout: duration
    .optional()
    .describe('How long a request waits for capacity. Default: that of the pool.'),
  wakeTimeout: duration
    .optional()
    .describe('How long a request waits for the model to start. Default: that of the pool.'),
  degradation: degradation
    .optional()
    .describe('Shorter responses under load. Default: that of the pool. An empty list disables it.'),
});

export const admissionSettings = z.object({
  maxQueue: maxQueue.default(256).describe('Number of requests that may wait, per model and router.'),
  queueTimeout: duration
    .default(DEFAULTS.admission.queueTimeout)
    .describe('How long a request waits for capacity.'),
  wakeTimeout: duration
    .default(DEFAULTS.admission.wakeTimeout)
    .describe('How long a request waits for a model to start.'),
  degradation: degradation
    .optional()
    .describe('Shorter responses under load. The active tier with the highest `queueAbove` applies.'),
});

export type AdmissionOverrides = z.infer<typeof admissionOverrides>;
