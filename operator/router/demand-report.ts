/** What a router answers to `GET /demand`. */
import { z } from 'zod';

const count = z.number().min(0).max(Number.MAX_SAFE_INTEGER);

/**
 * Version of a route table. Versions are times in milliseconds or follow on them, so what is far above them is no version, and
 * there is always a higher one to send.
 */
export const routeVersion = z
  .int()
  .min(0)
  .max(2 ** 52);

const modelDemand = z.object({
  /** Requests at engines. */
  inFlight: count,
  /** Requests that wait for the model's first engine. */
  held: count,
  /** Requests that wait for capacity. */
  queued: count,
  /** Time of the last request by the router's clock, in milliseconds since 1970. */
  lastRequestMs: count,
  /** Milliseconds since the last request: independent of differences between clocks. */
  ageMs: count,
  /** Requests since the router started. */
  requests: count,
});

/** Models of one pool that a router has room for (operator/router/nginx/board.lua). */
const MAX_MODELS = 16_384;

/** Counted before it is read: to tell what is wrong with half a million entries takes seconds. */
const fewModels = z.custom<Record<string, unknown>>(
  (models) => typeof models === 'object' && models !== null && Object.keys(models).length <= MAX_MODELS,
  `expected at most ${MAX_MODELS} models`,
);

/** Fields that we don't know are ignored, so that a newer router can talk to us. */
export const demandReport = z.object({
  /** Grows with every request held for a model without engines; starts anew with the router. */
  seq: z.int().min(0),
  /** Version of the table that the router runs; 0 when it has none, or only the snapshot. */
  version: routeVersion,
  /** When the router started, by its own clock, in milliseconds since 1970. Counters began at zero then. */
  startedMs: count,
  /** By UID of the InferenceModel. Models that nobody asked for are left out. */
  models: fewModels.pipe(z.record(z.string(), modelDemand)),
});

export type DemandReport = z.infer<typeof demandReport>;
export type ModelDemand = z.infer<typeof modelDemand>;
