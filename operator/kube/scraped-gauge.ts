/** A gauge whose values are computed when it is read. */
import { Gauge, type GaugeConfiguration } from 'prom-client';

/** Several owners can each set their own label set at every scrape. */
export class ScrapedGauge<L extends string> extends Gauge<L> {
  readonly #sources: Set<() => void>;

  constructor(options: Omit<GaugeConfiguration<L>, 'collect'>) {
    const sources = new Set<() => void>();
    super({
      ...options,
      collect: () => {
        for (const source of sources) {
          source();
        }
      },
    });
    this.#sources = sources;
  }

  /** Calls back at every scrape, until the returned function is called. */
  onScrape(source: () => void): () => void {
    this.#sources.add(source);
    return () => this.#sources.delete(source);
  }
}
