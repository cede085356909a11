/** How many requests may wait, from what a replica does at its knee. */
import type { Objective } from '../bench/objective.ts';
import type { Knee } from './knee.ts';

export interface QueueLimit {
  /** `admission.maxQueue`, for each router. */
  maxQueue: number;
  /** Requests that one replica has in progress at the knee. */
  inFlight: number;
  /** How the numbers follow, for people. */
  because: string;
}

/**
 * Little's law (L = λW) twice. In progress at the knee are its rate times the mean latency there. A queue that drains at the
 * rate of the knee makes its last request wait for length ÷ rate, so the longest queue with which a median request still
 * meets an objective is rate × (objective − median at the knee). Replicas drain it together, and each router has its own.
 * Undefined if no objective is about the time that includes waiting.
 */
export function queueLimit(
  knee: Knee,
  objectives: readonly Objective[],
  { replicas, routers }: { replicas: number; routers: number },
): QueueLimit | undefined {
  const slacks = objectives
    .filter(({ measure }) => measure !== 'time-per-token')
    .map(({ measure, ms }) => ms - (measure === 'latency' ? knee.latencyMs : knee.firstTokenMs).p50);
  if (slacks.length === 0) return undefined;
  const seconds = Math.max(0, Math.min(...slacks) / 1000);
  const rate = knee.requestsPerSecond;
  const maxQueue = Math.max(1, Math.floor((rate * seconds * replicas) / routers));
  const inFlight = Math.ceil((rate * knee.latencyMs.mean) / 1000);
  const because =
    `maxQueue = ${rate.toFixed(2)} requests/s × ${seconds.toFixed(2)} s of slack × ${replicas} replicas ÷ ${routers} routers = ${maxQueue}; ` +
    `in progress at the knee = ${rate.toFixed(2)} requests/s × ${(knee.latencyMs.mean / 1000).toFixed(2)} s = ${inFlight} for each replica`;
  return { maxQueue, inFlight, because };
}
