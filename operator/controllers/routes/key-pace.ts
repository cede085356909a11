/** Limits how often the API keys of a pool change at its routers. Each change is a whole table, which routers have to read. */
import { isDeepStrictEqual } from 'node:util';
import type { RouteKey } from '../../router/route-table.ts';

/**
 * Milliseconds between two changes, for each model and each key of the table: ten times what a router needs for them, as
 * measured with 5,000 models (600 ms) and with 20,000 keys (550 ms).
 */
const MS_PER_MODEL = 1;
const MS_PER_KEY = 0.25;

export class KeyPace {
  #current: readonly RouteKey[] | undefined;
  #next = Number.NEGATIVE_INFINITY;

  /**
   * The keys that routers get at `now`, in monotonic milliseconds, and how long later ones have to wait. The first change is
   * never delayed. Without this, a team that edits a key all the time would keep the routers of all busy.
   */
  at(now: number, keys: readonly RouteKey[], models: number): { keys: readonly RouteKey[]; waitMs?: number } {
    const current = this.#current;
    if (current?.length && now < this.#next && current !== keys && !isDeepStrictEqual(current, keys))
      return { keys: current, waitMs: this.#next - now };
    if (current !== keys && !isDeepStrictEqual(current, keys))
      this.#next = now + models * MS_PER_MODEL + keys.length * MS_PER_KEY;
    this.#current = keys;
    return { keys };
  }
}
