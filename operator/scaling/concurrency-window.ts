/** Average of a value over the last seconds. It has one bucket per second, like Knative's autoscaler. */

const BUCKET_MS = 1_000;

interface Bucket {
  /** Index of the second. */
  second: number;
  sum: number;
  count: number;
}

export class ConcurrencyWindow {
  readonly #size: number;
  readonly #buckets: (Bucket | undefined)[];

  /** @param windowMs longest window that is requested. */
  constructor(windowMs: number) {
    this.#size = Math.ceil(windowMs / BUCKET_MS) + 1;
    this.#buckets = new Array(this.#size);
  }

  /** Adds a sample. Samples of the same second are averaged, so that reporting more often does not weigh more. */
  record(now: number, value: number): void {
    const second = Math.floor(now / BUCKET_MS);
    const slot = second % this.#size;
    const bucket = this.#buckets[slot];
    if (bucket?.second === second) {
      bucket.sum += value;
      bucket.count += 1;
    } else {
      this.#buckets[slot] = { second, sum: value, count: 1 };
    }
  }

  /** Average over the seconds of the window that have data; undefined if none has, because no data is not zero. */
  average(now: number, windowMs: number): number | undefined {
    const last = Math.floor(now / BUCKET_MS);
    const first = last - Math.ceil(windowMs / BUCKET_MS) + 1;
    let sum = 0;
    let seconds = 0;
    for (const bucket of this.#buckets) {
      if (!bucket || bucket.second < first || bucket.second > last) continue;
      sum += bucket.sum / bucket.count;
      seconds += 1;
    }
    return seconds === 0 ? undefined : sum / seconds;
  }
}
