/** What a load has measured: the JSON that `bench -o json` prints, and that `--against` and `plan --measured` read. */
import { z } from 'zod';
import { objectiveSchema } from './objective.ts';
import { quantilesSchema } from './quantiles.ts';

const count = z.int().min(0);
const amount = z.number().min(0);
const text = z.string().max(2048);

/** One rate, over its measured time. A request belongs to the step in whose time it was due. */
export const stepResultSchema = z.strictObject({
  /** Requests a second that were asked for. */
  rate: amount,
  /** Measured time; shorter than planned if the run was interrupted. */
  seconds: amount,
  /** Requests that were due. */
  due: count,
  /** Requests that were sent, and the rate at which they were sent. */
  sent: count,
  arrivalRate: amount,
  /** Requests that were answered completely. */
  completed: count,
  /** Requests that failed, by kind; `not-sent` are those beyond `maxOpen`. */
  errors: z.record(z.string().max(64), count),
  /** Share of the requests due that failed. Requests that were open when the run was interrupted do not count. */
  errorRate: z.number().min(0).max(1),
  /** Requests that were open when the run was interrupted. */
  unfinished: count,
  /** Answers that came from the response cache of a router. They are part of the quantiles. */
  cacheHits: count,
  /**
   * Requests that were completed in the measured time, whenever they were due, and their tokens as their usage states them. An
   * overloaded server completes fewer than arrive.
   */
  requestsPerSecond: amount,
  promptTokensPerSecond: amount,
  outputTokensPerSecond: amount,
  /** Means of completed requests. */
  promptTokens: amount,
  outputTokens: amount,
  /** Most requests that were open at once. */
  mostOpen: count,
  /** Times of completed requests that did not wait for a cold start, from the time at which they were due. */
  latencyMs: quantilesSchema,
  firstTokenMs: quantilesSchema,
  /** Mean time between the tokens of a request. */
  timePerTokenMs: quantilesSchema,
  /** Time between two events with text. An event may have several tokens. */
  interTokenMs: quantilesSchema,
  /** Output tokens a second of one request, from its first token. */
  tokensPerSecond: quantilesSchema,
  /** Whole time of requests that waited for an engine to start. */
  coldStartMs: quantilesSchema,
  /** How late requests were sent. It is part of all times, and large if the load generator is too slow. */
  sendDelayMs: quantilesSchema,
  /** Whether all objectives were met; absent without any. */
  meetsObjectives: z.boolean().optional(),
});

export type StepResult = z.output<typeof stepResultSchema>;

export const loadResultSchema = z.strictObject({
  kind: z.literal('LoadResult'),
  version: z.literal(1),
  startedAt: z.iso.datetime(),
  /** Without credentials. */
  url: text,
  model: text,
  api: z.enum(['chat', 'completions']),
  arrivals: z.enum(['constant', 'poisson']),
  workload: text,
  objectives: z.array(objectiveSchema).max(16),
  interrupted: z.boolean(),
  steps: z.array(stepResultSchema).max(1000),
});

export type LoadResult = z.output<typeof loadResultSchema>;
