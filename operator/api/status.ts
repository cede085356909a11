/** Status fields that both kinds share. */
import { z } from 'zod';
import { observedDecimal } from '../values/scalars.ts';

/** metav1.Condition. */
export const condition = z.object({
  type: z.string().min(1).max(316).describe('Type of the condition.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Status of the condition.'),
  observedGeneration: z
    .int()
    .min(0)
    .optional()
    .describe('Generation of the spec that the condition describes.'),
  lastTransitionTime: z
    .string()
    .max(64)
    .meta({ format: 'date-time' })
    .describe('When `status` last changed.'),
  reason: z
    .string()
    .min(1)
    .max(1024)
    .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
    .describe('Reason of the status, as a stable identifier.'),
  message: z.string().max(32768).describe('Explanation and remedy.'),
});

export const conditions = z
  .array(condition)
  .max(16)
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] });

const counted = z.int().min(0);

const used = z.object({
  acceleratorSeconds: counted.describe('Accelerators times the seconds for which pods held them.'),
  cost: observedDecimal.optional().describe('Price of those. Absent without a price in the pool.'),
  requests: counted.optional().describe('Requests with an answer of an engine or of the cache.'),
  promptTokens: counted.optional().describe('Prompt tokens that engines read.'),
  completionTokens: counted.optional().describe('Tokens that engines wrote.'),
  cachedTokens: counted.optional().describe('Tokens of answers of the response cache.'),
  cacheSavedAcceleratorSeconds: counted
    .optional()
    .describe(
      'Estimate of what engines would have needed for those, at their time for a token in the same window.',
    ),
  sleepSavedAcceleratorSeconds: counted
    .optional()
    .describe('Estimate of what one replica would have held while the model slept.'),
  sleepSavedCost: observedDecimal.optional().describe('Price of those.'),
});

/** Usage until a time: of an idle object it stays as it was. */
export const usage = z.object({
  time: z
    .string()
    .max(64)
    .meta({ format: 'date-time' })
    .describe('Until when this is counted. The windows are the hour, day and month (UTC) of this time.'),
  hour: used.describe('Since the start of the hour.'),
  day: used.describe('Since midnight.'),
  month: used.describe('Since the first of the month.'),
});

export type UsageStatus = z.infer<typeof usage>;

/** Most items of advice in a status, and the longest change. */
export const MAX_ADVICE = 5;
export const MAX_CHANGE = 512;

/** How an object could use less; what saves most comes first. */
export const advice = z
  .array(
    z.object({
      rule: z.string().min(1).max(63).describe('Name of the rule, such as `ReplicasUnused`.'),
      change: z.string().max(MAX_CHANGE).describe('What to change.'),
      monthlySaving: observedDecimal
        .optional()
        .describe('Money that it saves in 730 hours, by prices of pools. Absent if one has no price.'),
    }),
  )
  .max(MAX_ADVICE)
  .meta({ 'x-kubernetes-list-type': 'atomic' });

export type AdviceStatus = z.infer<typeof advice>;
