/**
 * The protocol between operator and routers, in one place: what `PUT` and `PATCH /routes` send and what `GET /demand` answers.
 * The types, docs/router-protocol.md, its JSON Schema and what the routers check (nginx/protocol.lua) are made of these schemas.
 */
import { z } from 'zod';
import { MODEL_STATES } from '../api/inference-model.ts';

const text = (max: number) => z.string().max(max);
const count = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const milliseconds = z.int().min(0).max(864_000_000);

/**
 * Version of a route table. Versions are times in milliseconds or follow on them, so what is far above them is no version, and
 * there is always a higher one to send.
 */
export const routeVersion = z
  .int()
  .min(0)
  .max(2 ** 52)
  .describe('Version of a table: milliseconds since 1970 at its last change, or the last version plus one.');

const address = z.object({
  host: text(255).min(1).describe('An IP address; one of IPv6 in brackets.'),
  port: z.int().min(1).max(65_535),
});

const endpoint = address
  .extend({
    capacity: z.int().min(0).describe("Requests that the engine runs at once (vLLM's `--max-num-seqs`)."),
    draining: z.boolean().describe('True once it takes no new requests; those in flight go on.'),
  })
  .describe('One engine pod.');

const cache = z.object({
  enabled: z.boolean(),
  ttlSeconds: z.number().min(0),
  policy: z
    .enum(['Deterministic', 'All'])
    .describe('`Deterministic`: only what has `temperature: 0` or a seed.'),
});

const admission = z.object({
  maxQueue: z.int().min(0).describe('Requests that wait at most.'),
  queueTimeoutMs: milliseconds.describe('How long one waits for an engine with room.'),
  wakeTimeoutMs: milliseconds.describe('How long one waits for a model that starts.'),
  degradation: z
    .array(
      z.object({
        queueAbove: z.int().min(0).describe('The tier is active while more wait.'),
        maxTokens: z.int().min(1).describe('Longest answer then.'),
      }),
    )
    .describe('Tiers, the one with the longest queue first: the first that applies counts.'),
});

const routeModel = z.object({
  uid: text(64).min(1).describe('UID of the InferenceModel; key of counters and of cache entries.'),
  namespace: text(63),
  name: text(253),
  generation: z
    .int()
    .min(0)
    .describe('Part of the cache key: a changed model never answers from old entries.'),
  engine: text(64).describe(
    'Hash of the engine settings of the pool: part of the cache key for the same reason.',
  ),
  created: z.int().min(0).describe('Seconds since 1970, for `created` in `/v1/models`.'),
  servedNames: z.array(text(1024)).describe('Names by which clients ask for it. No table has a name twice.'),
  adapters: z.array(text(1024)).describe('LoRA adapters, listed and routed as models of their own.'),
  maxModelLen: z.int().min(1).optional(),
  state: z.enum(MODEL_STATES),
  unavailable: z
    .object({ reason: text(256), message: text(4096) })
    .optional()
    .describe('Why the model cannot be woken, for the 503 that clients get; absent while it can.'),
  endpoints: z.array(endpoint),
  fallback: address
    .optional()
    .describe("The model's Service, the last resort when no engine is known to work."),
  cache: cache.describe('Rules of the response cache.'),
  admission: admission.describe('Who waits, for how long, and what is degraded meanwhile.'),
});

const redis = z
  .object({ host: text(255), port: z.int().min(1).max(65_535), username: text(255), password: text(255) })
  .describe('Absent: no cache, or the snapshot, which has no secrets.');

const routeKey = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  tenant: text(512).describe('`namespace` or `namespace/name`.'),
  models: z.array(text(1024)).optional().describe('Names that it may ask for; absent: all.'),
  requestsPerMinute: count.optional(),
  tokensPerMinute: count.optional(),
});

const cors = z
  .object({
    allowOrigins: z.array(text(2048)),
    allowCredentials: z.boolean(),
    allowMethods: text(8192).optional().describe('As headers have it. Absent: all that the router serves.'),
    allowHeaders: text(8192).optional().describe('Absent: those that the browser asks for.'),
    exposeHeaders: text(8192).optional().describe('Absent: none.'),
    maxAge: z.int(),
  })
  .describe('Which web pages may read answers. Absent: the router says nothing of other origins.');

/** Limits of routers, in words of their Lua modules. The operator sends none: tests set those that they cannot wait for. */
export const routerLimits = z.object({
  commentAfterMs: milliseconds.default(5000).describe('A stream waits as long before its first comment.'),
  commentEveryMs: milliseconds.default(10_000).describe('Between two comments of a stream that waits.'),
  bodyGraceMs: milliseconds.default(30_000).describe('Every body may take as long to come.'),
  unwatchedBodies: z
    .int()
    .min(0)
    .default(64)
    .describe('Bodies of up to 128 KiB that may take longer, in each worker.'),
  drainPatienceMs: milliseconds
    .default(30_000)
    .describe('A router that drains is kept by waiting requests alone after that.'),
  maxSeries: z.int().min(1).default(20_000).describe('Series of metrics.'),
  maxFollowers: z.int().min(0).default(1024).describe('Requests of one worker that wait for one answer.'),
  maxLeadMs: milliseconds.default(30_000).describe('An answer that has begun keeps others waiting as long.'),
  maxWatchMs: milliseconds.default(60_000).describe("Another router's lock is respected as long."),
  lookMs: milliseconds.default(1000).describe('Between looks at whether that is over.'),
  lockMs: milliseconds.default(6000).describe('A lock outlives its router by less.'),
  maxKeptBytes: z
    .int()
    .min(0)
    .default(67_108_864)
    .describe('Bytes of answers that one worker collects or stores.'),
  maxInFlight: z
    .int()
    .min(1)
    .default(12_000)
    .describe('Requests of all workers that come in, wait or are answered.'),
  redisTimeoutMs: milliseconds.default(25).describe('For one command; Redis answers in less than one.'),
  changesBytes: z
    .int()
    .min(0)
    .default(65_536)
    .describe('Changes may be as long as the table that they change, or this.'),
});

export const routeTable = z.object({
  version: routeVersion,
  pool: z.object({ namespace: text(63), name: text(253) }),
  loadBalancing: z.enum(['PrefixAffinity', 'LeastRequests']),
  auth: z.enum(['None', 'APIKey']),
  cors: cors.optional(),
  redis: redis.optional(),
  cacheMaxEntryBytes: z.int().min(0),
  limits: routerLimits
    .partial()
    .optional()
    .describe('Other limits than the defaults; the operator sends none.'),
  models: z.array(routeModel),
  keys: z.array(routeKey),
});

export const routeChange = z.object({
  from: routeVersion.describe(
    'Version that it changes: applied by a router that runs that one, and by no other.',
  ),
  version: routeVersion.describe('Version that comes of it.'),
  models: z.array(routeModel).describe('Models that were added or changed.'),
  removed: z.array(text(64)).describe('UIDs of models that are gone.'),
});

const modelDemand = z.object({
  inFlight: count.describe('Requests at engines.'),
  held: count.describe("Requests that wait for the model's first engine."),
  queued: count.describe('Requests that wait for an engine to have room.'),
  ageMs: count.describe('Milliseconds since the last request: independent of differences between clocks.'),
});

/** Models and engines of one pool that a router has places for (nginx/counters.lua). */
const MAX_MODELS = 16_384;

/** Counted before it is read: to tell what is wrong with half a million entries takes seconds. */
const fewModels = z.custom<Record<string, unknown>>(
  (models) => typeof models === 'object' && models !== null && Object.keys(models).length <= MAX_MODELS,
  `expected at most ${MAX_MODELS} models`,
);

/** Fields that the operator does not know are ignored, so that a newer router can talk to it. */
export const demandReport = z.object({
  seq: z
    .int()
    .min(0)
    .describe('Grows with every request held for a model without engines; starts anew with the router.'),
  version: z
    .int()
    .min(0)
    .max(2 ** 52)
    .describe('Version of the table that the router runs; 0 when it has none, or only the snapshot.'),
  models: fewModels
    .pipe(z.record(z.string(), modelDemand))
    .describe('By UID of the InferenceModel. Models that nobody asked for are left out.'),
});

export type DemandReport = z.infer<typeof demandReport>;
export type ModelDemand = z.infer<typeof modelDemand>;
