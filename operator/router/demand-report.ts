/** What a router answers to `GET /demand`. */
import { z } from 'zod';

const count = z.number().min(0);

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

/** Fields that we don't know are ignored, so that a newer router can talk to us. */
export const demandReport = z.object({
  /** Grows with every request held for a model without engines; starts anew with the router. */
  seq: count,
  /** Version of the table that the router runs; 0 when it has none, or only the snapshot. */
  version: count,
  /** When the router started, by its own clock, in milliseconds since 1970. Counters began at zero then. */
  startedMs: count,
  /** By UID of the InferenceModel. Models that nobody asked for are left out. */
  models: z.record(z.string(), modelDemand),
});

export type DemandReport = z.infer<typeof demandReport>;
export type ModelDemand = z.infer<typeof modelDemand>;
