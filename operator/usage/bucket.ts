/** What one model used in some time. All numbers are integers, so sums are exact: those of money up to nine million. */

/** The numbers of a bucket, in the order in which they are stored. New ones go to the end. */
export const BUCKET_FIELDS = [
  /** Accelerators times the milliseconds for which pods held them. */
  'acceleratorMs',
  /** The part of `acceleratorMs` that had a price. */
  'pricedMs',
  /** Money for that part, in billionths of the pool's currency. */
  'cost',
  /** Milliseconds of ready replicas. */
  'readyMs',
  /** Accelerators times the milliseconds for which the model slept: what it did not hold. */
  'asleepMs',
  /** Requests with an answer of an engine or of the cache. */
  'requests',
  'promptTokens',
  'completionTokens',
  /** Answers of the response cache. */
  'cachedRequests',
  /** Prompt and completion tokens of those answers, which no engine computed. */
  'cachedTokens',
  /** Milliseconds in which pods held accelerators and every router of the pool reported the demand to the operator. */
  'watchedMs',
  /** Highest demand that the operator saw, which asks each router about once a second: requests at engines or waiting. */
  'peakInFlight',
  /** Tokens of prompt and output of the longest request that an engine answered. */
  'longestRequest',
  /** Cold starts for a request, and the milliseconds of all of them from a pod on a node to the last router that knew it. */
  'wakes',
  'coldStartMs',
] as const;

/** Numbers of which the highest counts, not the sum. */
const PEAKS: ReadonlySet<string> = new Set(['peakInFlight', 'longestRequest']);

export type Bucket = Readonly<Record<(typeof BUCKET_FIELDS)[number], number>>;

export const EMPTY_BUCKET: Bucket = {
  acceleratorMs: 0,
  pricedMs: 0,
  cost: 0,
  readyMs: 0,
  asleepMs: 0,
  requests: 0,
  promptTokens: 0,
  completionTokens: 0,
  cachedRequests: 0,
  cachedTokens: 0,
  watchedMs: 0,
  peakInFlight: 0,
  longestRequest: 0,
  wakes: 0,
  coldStartMs: 0,
};

/**
 * The sum of a bucket and some numbers; of peaks, the highest. Counts stop at the largest safe integer. Money does not, because
 * a budget of millions must be used up in the end; a sum of that size is still right to 15 digits.
 */
export function plus(bucket: Bucket, more: Partial<Bucket>): Bucket {
  const sum = { ...bucket };
  for (const field of BUCKET_FIELDS) {
    const added = more[field] ?? 0;
    const both = PEAKS.has(field) ? Math.max(sum[field], added) : sum[field] + added;
    sum[field] = field === 'cost' ? both : Math.min(both, Number.MAX_SAFE_INTEGER);
  }
  return sum;
}

/** The sum of buckets. */
export function total(buckets: Iterable<Bucket>): Bucket {
  let sum = EMPTY_BUCKET;
  for (const bucket of buckets) sum = plus(sum, bucket);
  return sum;
}

/** Whether a bucket has more than time asleep. */
export function isUse(bucket: Bucket): boolean {
  return BUCKET_FIELDS.some((field) => field !== 'asleepMs' && bucket[field] > 0);
}
