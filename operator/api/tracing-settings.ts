/** Traces in OpenTelemetry's protocol (OTLP over HTTP): where they go, and how many. */
import { z } from 'zod';
import { withRules } from '../values/rule.ts';
import { decimal } from '../values/scalars.ts';

export const tracingSettings = withRules(
  z.object({
    endpoint: z
      .string()
      .min(1)
      .max(1024)
      .regex(
        /^https?:\/\/([-a-z0-9]+(\.[-a-z0-9]+)*|\[[0-9a-f:.]+\]):(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})(\/[-A-Za-z0-9._~/]*)?$/,
        'use http://host:port, or http://host:port/path, such as http://otel-collector.observability:4318',
      )
      .describe(
        'OTLP/HTTP receiver of a collector, such as `http://otel-collector.observability:4318`. Without a path: `/v1/traces`. A change restarts the engines of the pool.',
      ),
    samplingPercent: decimal
      .default('1')
      .describe(
        'Share of requests that are traced, in percent, if the client did not decide by `traceparent`. Changing it restarts nothing.',
      ),
  }),
  [
    {
      rule: '!self.endpoint.startsWith("https:")',
      problem: 'routers do not send traces over TLS',
      remedy: 'use http:// and a collector in the cluster that forwards them over TLS',
      fieldPath: '.endpoint',
      holds: (self) => !self.endpoint.startsWith('https:'),
    },
    {
      rule: 'double(self.samplingPercent) <= 100.0',
      problem: 'samplingPercent is above 100',
      remedy: 'use a number from "0" to "100"',
      fieldPath: '.samplingPercent',
      holds: (self) => Number(self.samplingPercent) <= 100,
    },
  ],
);
