/** How many requests wait, for how long, and what is degraded meanwhile. */
import { z } from 'zod';
import { DEFAULTS } from '../values/defaults.ts';
import { matching } from '../values/matching.ts';
import { withRules } from '../values/rule.ts';
import { duration } from '../values/scalars.ts';
import { adaptiveConcurrency } from './adaptive-concurrency.ts';
import { degradation } from './degradation-settings.ts';

const WINDOW =
  'Requests of a model that arrive at a router in one window of this length are released together: 10ms to 50ms, or 0ms for none.';
const WINDOW_MAX_P95 =
  'The window becomes shorter, down to none, while the 95th percentile of the latency of requests is above this.';

const ADAPTIVE =
  'The number of requests that run at once follows the time per output token, between these bounds.';

const batchWindow = matching(z.string().max(32), /^(0|[1-4][0-9]|50)ms$/, {
  problem: 'not the length of a batching window',
  remedy: 'use 0ms, or 10ms to 50ms',
});

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
  batchWindow: batchWindow.optional().describe(`${WINDOW} Default: that of the pool.`),
  batchWindowMaxP95: duration.optional().describe(`${WINDOW_MAX_P95} Default: that of the pool.`),
  adaptiveConcurrency: adaptiveConcurrency
    .optional()
    .describe(`${ADAPTIVE} Default: that of the pool. If set, it replaces that as a whole.`),
  degradation: degradation
    .optional()
    .describe(
      'Limits under load, in tiers from the mildest to the severest. Default: that of the pool. An empty list disables it.',
    ),
});

const settings = z.object({
  maxQueue: maxQueue.default(256).describe('Number of requests that may wait, per model and router.'),
  queueTimeout: duration
    .default(DEFAULTS.admission.queueTimeout)
    .describe('How long a request waits for capacity.'),
  wakeTimeout: duration
    .default(DEFAULTS.admission.wakeTimeout)
    .describe('How long a request waits for a model to start.'),
  batchWindow: batchWindow
    .optional()
    .describe(
      `${WINDOW} Default: ${DEFAULTS.admission.batchWindow}. vLLM batches by itself, so it seldom helps.`,
    ),
  batchWindowMaxP95: duration
    .optional()
    .describe(`${WINDOW_MAX_P95} Default: ${DEFAULTS.admission.batchWindowMaxP95}.`),
  adaptiveConcurrency: adaptiveConcurrency
    .optional()
    .describe(`${ADAPTIVE} Default: off, so only \`maxNumSeqs\` is a limit.`),
  degradation: degradation
    .optional()
    .describe(
      'Limits under load, in tiers from the mildest to the severest. The severest active one applies, with the limits of milder ones that it does not set.',
    ),
});

export const admissionSettings = withRules(settings, [
  {
    rule: '!has(self.degradation) || self.degradation.all(tier, !has(tier.queueAbove) || tier.queueAbove < self.maxQueue)',
    fieldPath: '.degradation',
    problem: 'a tier has a queueAbove that the queue never exceeds, because it has at most maxQueue requests',
    remedy: 'lower queueAbove below maxQueue, or raise maxQueue',
    holds: ({ maxQueue, degradation = [] }) =>
      degradation.every(({ queueAbove = -1 }) => queueAbove < maxQueue),
  },
]);
