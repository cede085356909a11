/** What one model used in some time. All numbers are integers, so that sums are exact. */

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
] as const;

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
};

/** The sum of a bucket and some numbers. Stays within the integers that a number has exactly. */
export function plus(bucket: Bucket, more: Partial<Bucket>): Bucket {
  const sum = { ...bucket };
  for (const field of BUCKET_FIELDS)
    sum[field] = Math.min(sum[field] + (more[field] ?? 0), Number.MAX_SAFE_INTEGER);
  return sum;
}

/** The sum of buckets. */
export function total(buckets: Iterable<Bucket>): Bucket {
  let sum = EMPTY_BUCKET;
  for (const bucket of buckets) sum = plus(sum, bucket);
  return sum;
}
