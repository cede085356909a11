/** A gauge whose values are computed on each scrape. */
import { Gauge, type GaugeConfiguration } from 'prom-client';

/** Several owners can each set their own labels on each scrape. */
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

  /** Registers a callback for each scrape. Returns a function that removes it. */
  onScrape(source: () => void): () => void {
    this.#sources.add(source);
    return () => this.#sources.delete(source);
  }
}
