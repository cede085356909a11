import { randomUUID } from 'node:crypto';
import type { ApiObject } from '../api-object.ts';
import { badRequest, expired } from '../status-error.ts';

/** The remaining items of a paginated list. All pages show the state at the first one. */
export interface ListRest {
  revision: number;
  objects: ApiObject[];
}

/** Stores the remaining items of lists by `continue` token. The oldest are dropped first; their tokens then answer 410 Gone. */
export class ContinueTokens {
  readonly #rests = new Map<string, ListRest>();
  readonly #limit: number;

  constructor(limit = 200) {
    this.#limit = limit;
  }

  save(rest: ListRest): string {
    const id = randomUUID();
    this.#rests.set(id, rest);
    for (const oldest of this.#rests.keys()) {
      if (this.#rests.size <= this.#limit) break;
      this.#rests.delete(oldest);
    }
    return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: rest.revision, id })).toString('base64url');
  }

  /** Throws BadRequest for a malformed token, Expired for one whose list was dropped. */
  load(token: string): ListRest {
    const id = decode(token);
    const rest = this.#rests.get(id);
    if (rest) return rest;
    throw expired(
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.',
    );
  }

  /** Drops all lists, as compaction does. */
  clear(): void {
    this.#rests.clear();
  }
}

function decode(token: string): string {
  try {
    const value = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as { id?: unknown };
    if (typeof value.id === 'string') return value.id;
  } catch {
    // Answered below: not JSON is the same as no token.
  }
  throw badRequest(`invalid continue token: continue key is not valid: ${token}`);
}
