/** How many replicas a model has: a fixed number, or bounds between which something scales it. */
import { z } from 'zod';
import { DEFAULTS } from '../values/defaults.ts';
import { matching } from '../values/matching.ts';
import { withRules } from '../values/rule.ts';
import { decimal, duration } from '../values/scalars.ts';
import { dnsLabel } from './common.ts';

const replicaCount = z.int().min(0).max(1000);
/** Not 0, because spec.suspend is for that, and a request wakes a model that may run. */
const mostReplicas = z.int().min(1).max(1000);

const CRON_PATTERN = '^([0-9A-Za-z*/,-]+ +){4}[0-9A-Za-z*/,-]+$';
const CRON = new RegExp(CRON_PATTERN);

const cronExpression = withRules(z.string().max(128), [
  {
    rule: `self.matches('${CRON_PATTERN}')`,
    problem: 'not a cron expression',
    remedy: 'use five fields (minute, hour, day, month, weekday), such as "0 8 * * 1-5"',
    holds: (self) => CRON.test(self),
  },
]);

const schedule = withRules(
  z.object({
    name: dnsLabel.describe('Name of the window.'),
    start: cronExpression.describe('When the window opens: a cron expression.'),
    end: cronExpression.describe('When the window closes: a cron expression.'),
    timeZone: matching(z.string().min(1).max(64), /^[A-Za-z0-9_+/-]+$/, {
      problem: 'not a time zone',
      remedy: 'use an IANA time zone name such as Europe/Berlin',
    })
      .optional()
      .describe(`IANA time zone name such as \`Europe/Berlin\`. Default: ${DEFAULTS.scaling.timeZone}.`),
    minReplicas: replicaCount.optional().describe('Replaces `minReplicas` while the window is open.'),
    maxReplicas: mostReplicas.optional().describe('Replaces `maxReplicas` while the window is open.'),
  }),
  [
    {
      rule: 'has(self.minReplicas) || has(self.maxReplicas)',
      problem: 'a schedule needs minReplicas or maxReplicas',
      remedy: 'set at least one of them',
      reason: 'FieldValueRequired',
      holds: (self) => self.minReplicas !== undefined || self.maxReplicas !== undefined,
    },
  ],
);

const scalingPolicy = z.object({
  type: z.enum(['Pods', 'Percent']).describe('Unit of `value`.'),
  value: z.int().min(1).max(1000).describe('Largest change in one period.'),
  periodSeconds: z.int().min(1).max(1800).describe('Length of the period in seconds.'),
});

const scalingRules = z.object({
  stabilizationWindowSeconds: z
    .int()
    .min(0)
    .max(3600)
    .optional()
    .describe('Stabilization window: how many seconds of past recommendations are considered.'),
  selectPolicy: z
    .enum(['Max', 'Min', 'Disabled'])
    .optional()
    .describe('Which policy applies. `Disabled` prevents scaling in this direction.'),
  tolerance: decimal
    .optional()
    .describe('Deviation from the target that is ignored, as a fraction. Default of Kubernetes: 0.1.'),
  policies: z
    .array(scalingPolicy)
    .max(8)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional()
    .describe('Limits of the rate of change.'),
});

const RANGE_FIELDS = [
  'minReplicas',
  'maxReplicas',
  'idleTimeout',
  'target',
  'behavior',
  'schedules',
  'mode',
] as const;

const effectiveMin = '(has(s.minReplicas) ? s.minReplicas : (has(self.minReplicas) ? self.minReplicas : 1))';
const effectiveMax =
  '(has(s.maxReplicas) ? s.maxReplicas : (has(self.maxReplicas) ? self.maxReplicas : 1000))';

export const scalingSettings = withRules(
  z.object({
    replicas: replicaCount
      .optional()
      .describe(
        'A fixed number of replicas. Excludes all other fields, except with `mode: External`, where it is the current number, which the scale subresource writes.',
      ),
    minReplicas: replicaCount
      .optional()
      .describe(`Fewest replicas; 0 allows scale to zero. Default ${DEFAULTS.scaling.minReplicas}.`),
    maxReplicas: mostReplicas.optional().describe('Most replicas. Default: `minReplicas`, at least 1.'),
    idleTimeout: duration
      .optional()
      .describe(
        `Time without requests after which a model with \`minReplicas: 0\` sleeps. Default ${DEFAULTS.scaling.idleTimeout}.`,
      ),
    target: z
      .int()
      .min(1)
      .max(65536)
      .optional()
      .describe(
        `Requests in flight or queued per replica. Default: ${DEFAULTS.scaling.targetUtilization * 100} % of maxNumSeqs, or of the maximum of adaptive concurrency if that is lower.`,
      ),
    behavior: z
      .object({
        scaleUp: scalingRules.optional().describe('Rules for scaling up.'),
        scaleDown: scalingRules.optional().describe('Rules for scaling down.'),
      })
      .optional()
      .describe('Rate of scaling, as in a HorizontalPodAutoscaler.'),
    schedules: z
      .array(schedule)
      .max(16)
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .optional()
      .describe('Time windows with their own bounds.'),
    mode: z
      .enum(['Auto', 'HPA', 'Internal', 'External'])
      .optional()
      .describe(
        `What scales between 1 and maxReplicas. \`HPA\`: a HorizontalPodAutoscaler. \`Internal\`: the operator's autoscaler. \`Auto\`: the HPA if the operator can serve its metric, else \`Internal\`. \`External\`: an external autoscaler such as KEDA, through the scale subresource. Default \`${DEFAULTS.scaling.mode}\`.`,
      ),
  }),
  [
    {
      rule: `!has(self.replicas) || (has(self.mode) && self.mode == 'External') || !(${RANGE_FIELDS.map((field) => `has(self.${field})`).join(' || ')})`,
      problem: 'replicas excludes the other scaling fields',
      remedy: 'set either replicas, or minReplicas and maxReplicas; both only with mode External',
      fieldPath: '.replicas',
      reason: 'FieldValueForbidden',
      holds: (self) =>
        self.replicas === undefined ||
        self.mode === 'External' ||
        RANGE_FIELDS.every((field) => self[field] === undefined),
    },
    {
      rule: "!has(self.mode) || self.mode != 'External' || has(self.replicas)",
      problem: 'mode External requires replicas, because the scale subresource cannot be read without it',
      remedy: 'set replicas to the initial number',
      fieldPath: '.replicas',
      reason: 'FieldValueRequired',
      holds: (self) => self.mode !== 'External' || self.replicas !== undefined,
    },
    {
      rule: '!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas',
      problem: 'minReplicas is above maxReplicas',
      remedy: 'lower minReplicas or raise maxReplicas',
      fieldPath: '.minReplicas',
      holds: (self) =>
        self.minReplicas === undefined ||
        self.maxReplicas === undefined ||
        self.minReplicas <= self.maxReplicas,
    },
    {
      rule: `!has(self.schedules) || self.schedules.all(s, ${effectiveMin} <= ${effectiveMax})`,
      problem: 'a schedule has a minimum above its maximum',
      remedy: 'set both minReplicas and maxReplicas in that schedule',
      fieldPath: '.schedules',
      holds: (self) =>
        (self.schedules ?? []).every(
          (s) => (s.minReplicas ?? self.minReplicas ?? 1) <= (s.maxReplicas ?? self.maxReplicas ?? 1000),
        ),
    },
  ],
);
