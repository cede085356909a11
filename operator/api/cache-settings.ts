/** The response cache of a pool, and the settings that a model may override. */
import { z } from 'zod';
import { withRules } from '../values/rule.ts';
import { duration, quantity } from '../values/scalars.ts';
import { secretKeyRef } from './common.ts';
import { POD_SETTINGS } from './pod-settings.ts';

const policy = z.enum(['Deterministic', 'All']);

const redis = withRules(
  z.object({
    managed: z
      .object({
        image: z.string().min(1).max(512).optional().describe('Redis image.'),
        memory: quantity.default('1Gi').describe('Memory for cached answers (`maxmemory`).'),
        ...POD_SETTINGS,
      })
      .optional()
      .describe('A Redis that the operator runs, without persistence.'),
    external: z
      .object({ secretRef: secretKeyRef.describe('Holds a redis:// or rediss:// URL.') })
      .optional()
      .describe('A Redis of your own.'),
  }),
  [
    {
      rule: '!(has(self.managed) && has(self.external))',
      problem: 'managed and external exclude each other',
      remedy: 'keep one of them; without both, the operator runs a Redis',
      fieldPath: '.external',
      reason: 'FieldValueForbidden',
      holds: (self) => self.managed === undefined || self.external === undefined,
    },
  ],
);

export const cacheSettings = z.object({
  enabled: z.boolean().default(true).describe('Whether answers are cached.'),
  ttl: duration.default('5m').describe('How long an answer is kept.'),
  policy: policy
    .default('Deterministic')
    .describe(
      '`Deterministic`: only what `temperature: 0` or a `seed` makes repeatable. `All`: every identical request.',
    ),
  maxEntrySize: quantity.default('1Mi').describe('Longer answers are not cached.'),
  redis: redis
    .optional()
    .describe('Where answers are kept: at most one of `managed` and `external`; unset is `managed`.'),
});

export const cacheOverrides = z.object({
  enabled: z.boolean().optional().describe('Whether answers are cached, in a pool that caches any.'),
  ttl: duration.optional().describe('How long an answer is kept. Default: that of the pool.'),
  policy: policy.optional().describe('Which requests are cached. Default: that of the pool.'),
});
