/** Cross-origin requests from browsers. Names and meanings are those of HTTPCORSFilter in the Gateway API. */
import { z } from 'zod';
import { withRules } from '../values/rule.ts';

const origin = z
  .string()
  .min(1)
  .max(253)
  .regex(/^(\*|[a-z][-+.a-z0-9]*:\/\/(\*\.)?([-a-z0-9]+(\.[-a-z0-9]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?)$/);

const headerName = z
  .string()
  .min(1)
  .max(128)
  .regex(/^(\*|[-A-Za-z0-9_]+)$/);

const SET = { 'x-kubernetes-list-type': 'set' };

export const corsSettings = withRules(
  z.object({
    allowOrigins: z
      .array(origin)
      .min(1)
      .max(64)
      .meta(SET)
      .describe(
        'Origins whose pages may read responses, such as `https://app.example.com`. `https://*.example.com` matches all subdomains, `*` all origins.',
      ),
    allowCredentials: z
      .boolean()
      .default(false)
      .describe('Whether browsers may send credentials such as cookies. Not needed for API keys.'),
    allowMethods: z
      .array(z.enum(['*', 'GET', 'HEAD', 'POST']))
      .min(1)
      .max(4)
      .default(['*'])
      .meta(SET)
      .describe('Methods that pages may use. `*` matches all methods of the router.'),
    allowHeaders: z
      .array(headerName)
      .min(1)
      .max(64)
      .default(['*'])
      .meta(SET)
      .describe('Headers that pages may send. `*` matches all that the browser requests.'),
    exposeHeaders: z
      .array(headerName)
      .max(64)
      .default(['X-Request-Id', 'X-Cache', 'X-Degraded', 'Retry-After'])
      .meta(SET)
      .describe('Response headers that pages may read, in addition to those that are always readable.'),
    maxAge: z
      .int()
      .min(1)
      .max(86_400)
      .default(5)
      .describe('How long browsers may cache a preflight response, in seconds.'),
  }),
  [
    {
      rule: '!self.allowCredentials || self.allowOrigins.all(origin, origin != "*")',
      problem: 'allowCredentials with the origin * lets every page act with the cookies of its visitors',
      remedy: 'list the origins, or omit allowCredentials',
      fieldPath: '.allowCredentials',
      reason: 'FieldValueForbidden',
      holds: (self) => !self.allowCredentials || !self.allowOrigins.includes('*'),
    },
  ],
);
