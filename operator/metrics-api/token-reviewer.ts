/** Asks the API server for the user of a bearer token. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { KubeClient } from '../kube/client.ts';
import { type Clock, systemClock } from '../kube/clock.ts';
import { ApiError } from './api-error.ts';
import { TtlCache } from './ttl-cache.ts';
import type { UserInfo } from './user.ts';

/** Cache time of results, like delegated authentication in k8s.io/apiserver. */
const TTL_MS = 10_000;
const MAX_ENTRIES = 1_000;
const TIMEOUT_MS = 10_000;
/**
 * Most concurrent reviews. Anyone can send tokens, so their cost for the API server is limited, and SubjectAccessReviews
 * have to find free connections beside them.
 */
const MAX_ASKING = 8;

const userInfo = z.object({
  username: z.string().min(1),
  uid: z.string().optional(),
  groups: z.array(z.string()).nullish(),
  extra: z.record(z.string(), z.array(z.string())).nullish(),
});

const review = z.object({
  status: z.object({ authenticated: z.boolean().optional(), user: z.unknown().optional() }),
});

export class TokenReviewer {
  readonly #client: Pick<KubeClient, 'raw'>;
  readonly #signal: AbortSignal;
  /** By hash of the token. Tokens themselves are not stored. */
  readonly #answers: TtlCache<UserInfo | undefined>;
  #asking = 0;

  /**
   * @param options.client Shared with SubjectAccessReviews, but not with the rest of the operator.
   * @param options.signal Ends reviews in flight.
   */
  constructor(options: { client: Pick<KubeClient, 'raw'>; signal: AbortSignal; clock?: Clock | undefined }) {
    this.#client = options.client;
    this.#signal = options.signal;
    const clock = options.clock ?? systemClock;
    this.#answers = new TtlCache({ ttlMs: () => TTL_MS, maxEntries: MAX_ENTRIES, clock });
  }

  /**
   * Undefined if the token is invalid. Throws KubeError if the API server does not respond, and ApiError if too many
   * reviews are pending.
   */
  async userOf(token: string): Promise<UserInfo | undefined> {
    const key = createHash('sha256').update(token).digest('base64');
    return await this.#answers.get(key, () => this.#ask(token));
  }

  async #ask(token: string): Promise<UserInfo | undefined> {
    if (this.#asking >= MAX_ASKING)
      throw new ApiError('TooManyRequests', 'too many token reviews are in flight; retry in a second');
    this.#asking += 1;
    try {
      return await this.#review(token);
    } finally {
      this.#asking -= 1;
    }
  }

  async #review(token: string): Promise<UserInfo | undefined> {
    const { text } = await this.#client.raw({
      method: 'POST',
      path: '/apis/authentication.k8s.io/v1/tokenreviews',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } }),
      idempotent: true,
      timeoutMs: TIMEOUT_MS,
      signal: this.#signal,
    });
    const { status } = review.parse(JSON.parse(text));
    if (!status.authenticated) return undefined;
    const { username, uid, groups, extra } = userInfo.parse(status.user);
    return { username, ...(uid && { uid }), groups: groups ?? [], extra: extra ?? {} };
  }
}
