/** Since which version of a pool's route table no engine of a model takes new requests. */

/** The part of a route table that matters here. */
export interface HeldBackModels {
  version: number;
  models: readonly { uid: string; endpoints: readonly { draining: boolean }[] }[];
}

/**
 * Tables follow each other while other models wake and sleep: a model is held back from the first version on that says so,
 * and waits for no later one.
 */
export class HoldVersions {
  readonly #since = new Map<string, number>();

  /** Takes note of a table that is about to be published. Tables come in the order of their versions. */
  note({ version, models }: HeldBackModels): void {
    const known = new Set(this.#since.keys());
    for (const { uid, endpoints } of models) {
      known.delete(uid);
      if (!endpoints.every(({ draining }) => draining)) this.#since.delete(uid);
      else if (!this.#since.has(uid)) this.#since.set(uid, version);
    }
    for (const uid of known) this.#since.delete(uid);
  }

  /** The first of the versions, up to the newest, that hold the model back. Absent when the newest does not. */
  since(uid: string): number | undefined {
    return this.#since.get(uid);
  }
}
