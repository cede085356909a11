/**
 * The protocol between operator and routers: the bodies of `PUT` and `PATCH /routes` and the response of `GET /demand`.
 * Types, docs/router-protocol.md, its JSON Schema and the checks of the routers (nginx/protocol.lua) are generated from
 * these schemas.
 */
import { z } from 'zod';
import { MODEL_STATES } from '../api/inference-model.ts';

const text = (max: number) => z.string().max(max);
const count = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const milliseconds = z.int().min(0).max(864_000_000);

/**
 * Version of a route table. Versions are times in milliseconds, or the previous version plus one. The upper limit rejects
 * invalid versions and ensures that a higher one always exists.
 */
export const routeVersion = z
  .int()
  .min(0)
  .max(2 ** 52)
  .describe('Version of a table: milliseconds since 1970 at its last change, or the last version plus one.');

const address = z.object({
  host: text(255).min(1).describe('IP address; an IPv6 address is in brackets.'),
  port: z.int().min(1).max(65_535),
});

const endpoint = address
  .extend({
    capacity: z
      .int()
      .min(0)
      .describe("Number of requests that the engine runs at once (vLLM's `--max-num-seqs`)."),
    draining: z.boolean().describe('Whether it gets no new requests. Requests in flight continue.'),
  })
  .describe('One engine pod.');

const cache = z.object({
  enabled: z.boolean(),
  ttlSeconds: z.number().min(0),
  policy: z
    .enum(['Deterministic', 'All'])
    .describe('`Deterministic`: only requests with `temperature: 0` or a seed.'),
});

const admission = z.object({
  maxQueue: z.int().min(0).describe('Most requests that may wait.'),
  queueTimeoutMs: milliseconds.describe('How long a request waits for an engine with free capacity.'),
  wakeTimeoutMs: milliseconds.describe('How long a request waits for the model to start.'),
  degradation: z
    .array(
      z.object({
        queueAbove: z.int().min(0).optional().describe('The tier becomes active when more requests wait.'),
        p95AboveMs: milliseconds
          .optional()
          .describe('The tier becomes active when the 95th percentile of recent latencies is above this.'),
        maxTokens: z.int().min(1).optional().describe('Limit of the output tokens of a response.'),
        maxPromptTokens: z
          .int()
          .min(1)
          .optional()
          .describe('Requests with a longer prompt, by estimate, get 413.'),
        inFlightPercent: z
          .int()
          .min(1)
          .max(99)
          .optional()
          .describe('Part of the capacity of the engines that is used.'),
      }),
    )
    .max(8)
    .describe('Tiers, severest first, each with all limits. The first active one applies.'),
  batchWindow: z
    .object({
      lengthMs: z.int().min(10).max(50).describe('Requests that arrive in one window are released together.'),
      maxP95Ms: milliseconds.describe(
        'The window becomes shorter while the 95th percentile of recent latencies is above this.',
      ),
    })
    .optional()
    .describe('Absent: requests are released as they arrive.'),
  adaptiveConcurrency: z
    .object({ min: z.int().min(1), max: z.int().min(1) })
    .optional()
    .describe(
      'Bounds of a limit of the running requests, per engine, that follows the time per output token. Absent: only the capacity of engines is a limit.',
    ),
});

const routeModel = z.object({
  uid: text(64).min(1).describe('UID of the InferenceModel. Key of counters and part of cache keys.'),
  namespace: text(63),
  name: text(253),
  engine: text(64).describe(
    'Hash of what decides how the engines answer. Part of cache keys, so that a changed model never uses old entries.',
  ),
  created: z.int().min(0).describe('Seconds since 1970, for `created` in `/v1/models`.'),
  servedNames: z.array(text(1024)).describe('Names that clients use. Each name occurs only once in a table.'),
  adapters: z.array(text(1024)).describe('LoRA adapters. They are listed and routed like models.'),
  maxModelLen: z.int().min(1).optional(),
  state: z.enum(MODEL_STATES),
  unavailable: z
    .object({ reason: text(256), message: text(4096) })
    .optional()
    .describe('Why requests for the model get 503; absent if it can be woken.'),
  endpoints: z.array(endpoint),
  fallback: address
    .optional()
    .describe("The model's Service, used as a last resort if no engine is known to work."),
  cache: cache.describe('Response cache rules.'),
  admission: admission.describe('Limits of the queue, and degradation while requests wait.'),
});

const redis = z
  .object({ host: text(255), port: z.int().min(1).max(65_535), username: text(255), password: text(255) })
  .describe('Absent if there is no cache, and in the snapshot, which contains no secrets.');

const routeKey = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  tenant: text(512).describe('`namespace` or `namespace/name`.'),
  models: z.array(text(1024)).optional().describe('Names that the key may use; absent: all.'),
  requestsPerMinute: count.optional(),
  tokensPerMinute: count.optional(),
});

const cors = z
  .object({
    allowOrigins: z.array(text(2048)),
    allowCredentials: z.boolean(),
    allowMethods: text(8192)
      .optional()
      .describe('Value of the response header. Absent: all methods that the router serves.'),
    allowHeaders: text(8192).optional().describe('Absent: the headers that the browser requests.'),
    exposeHeaders: text(8192).optional().describe('Absent: none.'),
    maxAge: z.int(),
  })
  .describe('Which web pages may read responses. Absent: the router adds no CORS headers.');

const tracing = z
  .object({
    host: text(255).min(1).describe('Name or IP address of the collector; an IPv6 address is in brackets.'),
    port: z.int().min(1).max(65_535),
    path: text(1024).min(1),
    samplingRatio: z
      .number()
      .min(0)
      .max(1)
      .describe('Share of requests that are traced if the client did not decide.'),
  })
  .describe('Where spans are posted (OTLP over HTTP, as JSON). Absent: the router makes none.');

/** Limits of routers, named like in their Lua modules. The operator sends none; tests set those that would take too long. */
export const routerLimits = z.object({
  commentAfterMs: milliseconds.default(5000).describe('How long a waiting stream gets no comment.'),
  commentEveryMs: milliseconds.default(10_000).describe('Interval between comments of a waiting stream.'),
  bodyGraceMs: milliseconds.default(30_000).describe('How long any request body may take.'),
  unwatchedBodies: z
    .int()
    .min(0)
    .default(64)
    .describe('Number of bodies up to 128 KiB that may take longer, per worker.'),
  batchWindowEveryMs: milliseconds
    .default(10_000)
    .describe('Interval at which a router adjusts the length of a batching window to the latency.'),
  adaptEveryMs: milliseconds
    .default(5000)
    .describe('Shortest time between two changes of a limit that adapts to the time per output token.'),
  tierHoldMs: milliseconds
    .default(10_000)
    .describe('A tier of degradation ends after its values were below 80 % of its thresholds for this long.'),
  rateWindowMs: milliseconds.min(1).default(60_000).describe('Length of a minute of the limits of API keys.'),
  turnAfterMs: milliseconds
    .default(5000)
    .describe(
      'A namespace with less than its part of the requests that run at a model waits no longer than this for others to end.',
    ),
  drainPatienceMs: milliseconds
    .default(30_000)
    .describe('After this time only waiting requests keep a draining router running.'),
  maxSeries: z.int().min(1).default(20_000).describe('Most metric series.'),
  maxFollowers: z
    .int()
    .min(0)
    .default(1024)
    .describe('Most requests of one worker that wait for the same response.'),
  maxLeadMs: milliseconds
    .default(30_000)
    .describe('How long identical requests wait for a response that has begun.'),
  maxWatchMs: milliseconds.default(60_000).describe("How long another router's lock is respected."),
  lookMs: milliseconds.default(1000).describe('Interval between checks of that lock.'),
  lockMs: milliseconds.default(6000).describe('Expiry of a lock after its router has stopped.'),
  maxKeptBytes: z
    .int()
    .min(0)
    .default(67_108_864)
    .describe('Most bytes of responses that one worker collects or stores.'),
  maxInFlight: z
    .int()
    .min(1)
    .default(12_000)
    .describe('Most requests of all workers that are being read, waiting or answered.'),
  redisTimeoutMs: milliseconds
    .default(25)
    .describe('Timeout of one command. Redis usually responds in less than 1 ms.'),
  changesBytes: z
    .int()
    .min(0)
    .default(65_536)
    .describe('A change may be as long as the table it changes, and at least this long.'),
  spansEveryMs: milliseconds.default(2000).describe('Interval at which a worker sends spans.'),
  spansTimeoutMs: milliseconds.default(3000).describe('Timeout of each step of sending them.'),
  maxSpansBytes: z.int().min(0).default(1_048_576).describe('Most bytes of spans that one worker stores.'),
});

export const routeTable = z.object({
  version: routeVersion,
  pool: z.object({ namespace: text(63), name: text(253) }),
  loadBalancing: z.enum(['PrefixAffinity', 'LeastRequests']),
  auth: z.enum(['None', 'APIKey']),
  cors: cors.optional(),
  tracing: tracing.optional(),
  redis: redis.optional(),
  cacheMaxEntryBytes: z.int().min(0),
  limits: routerLimits
    .partial()
    .optional()
    .describe('Limits that differ from the defaults. The operator sends none.'),
  models: z.array(routeModel),
  keys: z.array(routeKey),
});

export const routeChange = z.object({
  from: routeVersion.describe(
    'Version that the change is based on. Only a router that runs it applies the change.',
  ),
  version: routeVersion.describe('Version of the result.'),
  models: z.array(routeModel).describe('Added or changed models.'),
  removed: z.array(text(64)).describe('UIDs of removed models.'),
});

const modelDemand = z.object({
  inFlight: count.describe('Requests at engines.'),
  held: count.describe("Requests that wait for the model's first engine."),
  queued: count.describe('Requests that wait for an engine to have room.'),
  ageMs: count.describe('Milliseconds since the last request. A duration, because clocks may differ.'),
  tier: z
    .int()
    .min(0)
    .max(8)
    .optional()
    .describe('Number of the active tier of degradation, from 1 for the mildest. Absent if there is none.'),
});

/** Number of models and engines for which a router has slots (nginx/counters.lua). */
const MAX_MODELS = 16_384;

/** Counted before parsing, because reporting the errors of half a million entries takes seconds. */
const fewModels = z.custom<Record<string, unknown>>(
  (models) => typeof models === 'object' && models !== null && Object.keys(models).length <= MAX_MODELS,
  `expected at most ${MAX_MODELS} models`,
);

/** Unknown fields are ignored, so that a newer router can talk to this operator. */
export const demandReport = z.object({
  seq: z
    .int()
    .min(0)
    .describe(
      'Increases with every request that waits for a model without engines. Restarts with the router.',
    ),
  version: z
    .int()
    .min(0)
    .max(2 ** 52)
    .describe('Version of the table that the router runs; 0 if it has none, or only the snapshot.'),
  models: fewModels
    .pipe(z.record(z.string(), modelDemand))
    .describe('By UID of the InferenceModel. Models without requests are omitted.'),
});

/** More than any router can serve between two batches. Keeps what a compromised one says within exact sums. */
const counted = z.int().min(0).max(1e12);

/** A batch has at most 8,000 (nginx/usage_counts.lua). */
const MAX_PAIRS = 16_384;
const MAX_UID = 64;
const MAX_TENANT = 512;

/** Checked before parsing, and only up to the first error, for the same reason as `fewModels`. */
const soundCounts = z.custom<Record<string, Record<string, number[]>>>((models) => {
  if (typeof models !== 'object' || models === null) return false;
  let pairs = 0;
  return Object.entries(models).every(([uid, tenants]) => {
    if (uid.length > MAX_UID || typeof tenants !== 'object' || tenants === null) return false;
    const all: [string, unknown][] = Object.entries(tenants);
    pairs += all.length;
    return (
      pairs <= MAX_PAIRS && all.every(([tenant, counts]) => tenant.length <= MAX_TENANT && isCounts(counts))
    );
  });
}, `expected six numbers for each of at most ${MAX_PAIRS} pairs of a model and a tenant`);

function isCounts(counts: unknown): boolean {
  return (
    Array.isArray(counts) && counts.length === 6 && counts.every((count) => counted.safeParse(count).success)
  );
}

export const usageReport = z.object({
  id: z
    .int()
    .min(0)
    .max(2 ** 52)
    .describe('Number of the batch. Increases, also across restarts of the router; 0 before the first one.'),
  counts: soundCounts
    .pipe(z.record(z.string().max(MAX_UID), z.record(z.string().max(MAX_TENANT), z.array(counted).length(6))))
    .describe(
      'By UID of the InferenceModel and tenant: requests with an answer, prompt and completion tokens of engines, answers of the cache, tokens of those, and prompt and completion tokens of the longest request. Empty if there is nothing new.',
    ),
});

export type UsageReport = z.infer<typeof usageReport>;
export type DemandReport = z.infer<typeof demandReport>;
export type ModelDemand = z.infer<typeof modelDemand>;
