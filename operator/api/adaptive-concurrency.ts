/** Bounds of a limit of running requests that routers adapt to the time per output token. */
import { z } from 'zod';
import { DEFAULTS } from '../values/defaults.ts';
import { withRules } from '../values/rule.ts';

const MOST = 65536;
const { min, max } = DEFAULTS.admission.adaptiveConcurrency;

export const adaptiveConcurrency = withRules(
  z.object({
    enabled: z.boolean().default(true).describe('`false` turns the limit of the pool off for a model.'),
    min: z
      .int()
      .min(1)
      .max(MOST)
      .default(min)
      .describe('Requests that each engine may run in any case, per router.'),
    max: z
      .int()
      .min(1)
      .max(MOST)
      .default(max)
      .describe('Requests that each engine may run at most, per router. `maxNumSeqs` is a limit as well.'),
  }),
  [
    {
      rule: 'self.min <= self.max',
      fieldPath: '.min',
      problem: 'min is above max',
      remedy: 'lower min to max, or raise max',
      holds: (self) => self.min <= self.max,
    },
  ],
);
