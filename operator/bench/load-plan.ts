/** What a load generator sends: where to, at which rates, with which requests. Times are in seconds unless a name ends in `Ms`. */
import type { Objective } from './objective.ts';
import type { Workload } from './workload.ts';

/** `constant`: the same time between all requests. `poisson`: random times, as many independent users cause them. */
export type Arrivals = 'constant' | 'poisson';

export interface LoadPlan {
  /** URL of a router or an engine, with or without `/v1`. */
  url: string;
  model: string;
  /** Sent as `Authorization: Bearer`. Never part of a result. */
  apiKey?: string;
  api: 'chat' | 'completions';
  arrivals: Arrivals;
  /** Requests a second. Each rate is one step, and steps follow one another. */
  rates: readonly number[];
  /** Measured time of each step. */
  seconds: number;
  /** Time before the first step, at its rate, that is not measured. */
  warmUpSeconds: number;
  /** Time in which the rate rises from one step to the next, and from 0 before the warm-up. It is not measured. */
  rampSeconds: number;
  workload: Workload;
  /** Most requests that may be open at once. Arrivals beyond are counted as not sent, never delayed. */
  maxOpen: number;
  /** After this time from its arrival a request has failed. */
  timeoutSeconds: number;
  /** What latency has to be, for the verdict on each step and the line in the plot. */
  objectives: readonly Objective[];
  /** Largest share of failed requests with which a step meets its objectives. */
  maxErrorRate: number;
}

/** The values that the command `bench` takes if nothing else is asked for. */
export const LOAD_DEFAULTS = {
  api: 'chat',
  arrivals: 'constant',
  seconds: 600,
  warmUpSeconds: 30,
  rampSeconds: 5,
  workload: { kind: 'random', promptTokens: 200, outputTokens: 200 },
  maxOpen: 10_000,
  timeoutSeconds: 300,
  objectives: [],
  maxErrorRate: 0.01,
} as const satisfies Partial<LoadPlan>;
