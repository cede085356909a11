/** What routers limit while a model is overloaded: tiers from the mildest to the severest. */
import { z } from 'zod';
import { type Rule, withRules } from '../values/rule.ts';
import { durationSeconds } from '../values/units.ts';

const MAX_TIERS = 8;

/** A duration with one unit. Shorter than the API's other durations, so that neither CEL nor `durationSeconds` reaches its limits. */
const latency = z
  .string()
  .min(2)
  .max(8)
  .regex(/^([0-9]{1,6}ms|[0-9]{1,5}s|[0-9]{1,4}m)$/, 'use a number with the unit ms, s or m, such as 1500ms');

const tierFields = z.object({
  queueAbove: z
    .int()
    .min(0)
    .max(100000)
    .optional()
    .describe('The tier becomes active when more requests than this wait at a router.'),
  p95Above: latency
    .optional()
    .describe(
      'The tier becomes active when the 95th percentile of the latency of requests at a router is above this, from 10ms to 15m: from the first byte of the request to the last one of the response, with the time in the queue and without that for which the model started. Of the last 30 seconds, and of at least 20 requests.',
    ),
  maxTokens: z
    .int()
    .min(1)
    .max(1048576)
    .optional()
    .describe(
      'Limit of the tokens of a response while the tier is active. The answers of a request with `n` share it.',
    ),
  maxPromptTokens: z
    .int()
    .min(1)
    .max(10485760)
    .optional()
    .describe(
      'While the tier is active, requests with a longer prompt get 413. Routers estimate its tokens: one for 4 bytes, 4096 for an image or sound and 16384 for a video.',
    ),
  inFlightPercent: z
    .int()
    .min(1)
    .max(99)
    .optional()
    .describe(
      'How much of the capacity of the engines (`maxNumSeqs` of each) is used while the tier is active. The other requests wait.',
    ),
});

type Tier = z.infer<typeof tierFields>;

const SHORTEST_SECONDS = 0.01;
const LONGEST_SECONDS = 900;

const tier = withRules(tierFields, [
  {
    rule: 'has(self.queueAbove) || has(self.p95Above)',
    problem: 'the tier has no threshold, so it is never active',
    remedy: 'set queueAbove, p95Above or both',
    holds: ({ queueAbove, p95Above }) => queueAbove !== undefined || p95Above !== undefined,
  },
  {
    rule: 'has(self.maxTokens) || has(self.maxPromptTokens) || has(self.inFlightPercent)',
    problem: 'the tier limits nothing',
    remedy: 'set maxTokens, maxPromptTokens or inFlightPercent',
    holds: (self) =>
      [self.maxTokens, self.maxPromptTokens, self.inFlightPercent].some((limit) => limit !== undefined),
  },
  {
    rule: "!has(self.p95Above) || (duration(self.p95Above) >= duration('10ms') && duration(self.p95Above) <= duration('15m'))",
    fieldPath: '.p95Above',
    problem: 'the routers measure latencies from 10ms to 15m',
    remedy: 'set a duration between these',
    holds: ({ p95Above }) =>
      p95Above === undefined ||
      (durationSeconds(p95Above) >= SHORTEST_SECONDS && durationSeconds(p95Above) <= LONGEST_SECONDS),
  },
]);

/** Index of each pair of neighbours. The macros of CEL over lists have no index. */
const PAIRS = `[${Array.from({ length: MAX_TIERS - 1 }, (_, i) => i).join(', ')}]`;

/** A rule on the values of a field, in the order of the tiers that set it. `cel` is such a value of `tier`. */
function ordered(
  field: keyof Tier,
  cel: string,
  sign: '<' | '>',
  text: Pick<Rule<Tier[]>, 'problem' | 'remedy'>,
): Rule<Tier[]> {
  const values = `self.filter(tier, has(tier.${field})).map(tier, ${cel})`;
  return {
    rule: `${PAIRS}.all(i, i + 1 >= size(${values}) || ${values}[i] ${sign} ${values}[i + 1])`,
    ...text,
    holds: (self) => {
      const numbers = self.flatMap(({ [field]: value }) =>
        value === undefined ? [] : [typeof value === 'string' ? durationSeconds(value) : value],
      );
      return numbers.every((value, i) => i === 0 || inOrder(numbers[i - 1] ?? 0, sign, value));
    },
  };
}

function inOrder(before: number, sign: '<' | '>', after: number): boolean {
  return sign === '<' ? before < after : before > after;
}

/** Under more load a tier with a lower threshold is active as well, and the severest one applies. */
function rising(field: 'queueAbove' | 'p95Above', cel: string): Rule<Tier[]> {
  return ordered(field, cel, '<', {
    problem: `a tier has the same or a higher ${field} than one after it, so it is never the active one`,
    remedy: `list the tiers from the mildest to the severest, and raise ${field} from tier to tier`,
  });
}

/** Severer tiers have lower limits. Otherwise they would take back what a milder one limits. */
function falling(field: 'maxTokens' | 'maxPromptTokens' | 'inFlightPercent'): Rule<Tier[]> {
  return ordered(field, `tier.${field}`, '>', {
    problem: `a tier has the same or a higher ${field} than one before it, so it takes back a limit under more load`,
    remedy: `lower ${field} from tier to tier; a tier without it has that of the one before`,
  });
}

/** Tiers of degradation, mildest first. */
export const degradation = withRules(
  z.array(tier).max(MAX_TIERS).meta({ 'x-kubernetes-list-type': 'atomic' }),
  [
    rising('queueAbove', 'tier.queueAbove'),
    rising('p95Above', 'duration(tier.p95Above)'),
    falling('maxTokens'),
    falling('maxPromptTokens'),
    falling('inFlightPercent'),
  ],
);

export type DegradationSettings = z.infer<typeof degradation>;
