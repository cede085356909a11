/** The response cache of a pool, and the settings that a model may override. */
import { z } from 'zod';
import { withRules } from '../values/rule.ts';
import { duration, quantity } from '../values/scalars.ts';
import { secretKeyRef } from './common.ts';
import { PLATFORM_POD } from './platform-pod.ts';

const policy = z.enum(['Deterministic', 'All']);

const redis = withRules(
  z.object({
    managed: z
      .object({
        image: z.string().min(1).max(512).optional().describe('Redis image.'),
        memory: quantity.default('1Gi').describe('Memory for cached responses (`maxmemory`).'),
        ...PLATFORM_POD,
      })
      .optional()
      .describe('A Redis that the operator runs, without persistence.'),
    external: z
      .object({ secretRef: secretKeyRef.describe('Secret with a redis:// or rediss:// URL.') })
      .optional()
      .describe('An external Redis.'),
  }),
  [
    {
      rule: '!(has(self.managed) && has(self.external))',
      problem: 'managed and external exclude each other',
      remedy: 'keep one of them; if both are unset, the operator runs a Redis',
      fieldPath: '.external',
      reason: 'FieldValueForbidden',
      holds: (self) => self.managed === undefined || self.external === undefined,
    },
  ],
);

export const cacheSettings = z.object({
  enabled: z.boolean().default(true).describe('Whether responses are cached.'),
  ttl: duration.default('5m').describe('How long a response is cached.'),
  policy: policy
    .default('Deterministic')
    .describe(
      '`Deterministic`: only requests that `temperature: 0` or a `seed` makes repeatable. `All`: all requests.',
    ),
  maxEntrySize: quantity.default('1Mi').describe('Larger responses are not cached.'),
  redis: redis
    .optional()
    .describe('Where responses are cached: `managed` or `external`. Default: `managed`.'),
});

export const cacheOverrides = z.object({
  enabled: z.boolean().optional().describe('Whether responses are cached, if the pool enables its cache.'),
  ttl: duration.optional().describe('How long a response is cached. Default: that of the pool.'),
  policy: policy.optional().describe('Which requests are cached. Default: that of the pool.'),
});
