/** The route table version from which on no engine of a model gets new requests. */

/** The relevant part of a route table. */
export interface HeldBackModels {
  version: number;
  models: readonly { uid: string; endpoints: readonly { draining: boolean }[] }[];
}

/**
 * Newer tables follow while other models wake and sleep. The first version that holds a model back is enough, so
 * nothing has to wait until all routers confirm the newest one.
 */
export class HoldVersions {
  readonly #since = new Map<string, number>();

  /** Records a table that is about to be published. Tables must come in version order. */
  note({ version, models }: HeldBackModels): void {
    const known = new Set(this.#since.keys());
    for (const { uid, endpoints } of models) {
      known.delete(uid);
      if (!endpoints.every(({ draining }) => draining)) this.#since.delete(uid);
      else if (!this.#since.has(uid)) this.#since.set(uid, version);
    }
    for (const uid of known) this.#since.delete(uid);
  }

  /** The first version since which the model is held back; undefined if the newest table does not hold it back. */
  since(uid: string): number | undefined {
    return this.#since.get(uid);
  }
}
