/** The open watches of a server, to end them when a kind goes or the server stops. */
export class WatchSessions {
  readonly #ends = new Map<string, Set<() => void>>();

  /** Adds how to end a watch of a collection; the returned function takes it out again. */
  add(collection: string, end: () => void): () => void {
    const known = this.#ends.get(collection) ?? new Set();
    known.add(end);
    this.#ends.set(collection, known);
    return () => known.delete(end);
  }

  /** Ends the watches of a collection. */
  end(collection: string): void {
    for (const end of this.#ends.get(collection) ?? []) end();
  }

  endAll(): void {
    for (const collection of this.#ends.keys()) this.end(collection);
  }
}
