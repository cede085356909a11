/** Asks the API server whether a user is authorized, so that RBAC applies as for any other API. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { KubeClient } from '../kube/client.ts';
import { type Clock, systemClock } from '../kube/clock.ts';
import { ApiError } from './api-error.ts';
import { TtlCache } from './ttl-cache.ts';
import type { UserInfo } from './user.ts';

/** What a request wants to do. */
export type AccessAttributes =
  | { namespace: string; verb: string; group: string; version: string; resource: string }
  | { path: string; verb: string };

export interface AccessVerdict {
  allowed: boolean;
  /** Explanation of the authorizer, if any. */
  reason: string;
}

/**
 * Cache time of positive results. An autoscaler polls every 15 s per model, so a minute avoids most reviews and still
 * revokes soon.
 */
const ALLOWED_TTL_MS = 60_000;
/** Cache time of negative results, like delegated authorization in k8s.io/apiserver. */
const DENIED_TTL_MS = 10_000;
const MAX_ENTRIES = 5_000;
const TIMEOUT_MS = 10_000;
/**
 * Most concurrent reviews per user. Any ServiceAccount can request any number of paths, and each costs a review over the
 * operator's connections to the API server. An HPA controller processes five HPAs at a time.
 */
const MAX_ASKING = 16;

/** Has all permissions in every API server. The aggregator probes with it, even while reviews fail. */
const MASTERS = 'system:masters';

const review = z.object({
  status: z.object({ allowed: z.boolean(), reason: z.string().optional() }),
});

export class AccessReviewer {
  readonly #client: Pick<KubeClient, 'raw'>;
  readonly #signal: AbortSignal;
  /** By hash of the attributes, because clients choose the length of paths. */
  readonly #verdicts: TtlCache<AccessVerdict>;
  /** Number of reviews in flight, by user. */
  readonly #asking = new Map<string, number>();

  /** @param options.signal Ends reviews in flight. */
  constructor(options: { client: Pick<KubeClient, 'raw'>; signal: AbortSignal; clock?: Clock | undefined }) {
    this.#client = options.client;
    this.#signal = options.signal;
    this.#verdicts = new TtlCache({
      ttlMs: ({ allowed }) => (allowed ? ALLOWED_TTL_MS : DENIED_TTL_MS),
      maxEntries: MAX_ENTRIES,
      clock: options.clock ?? systemClock,
    });
  }

  /** Throws KubeError if the API server does not respond, and ApiError if the user has too many reviews in flight. */
  async review(user: UserInfo, attributes: AccessAttributes): Promise<AccessVerdict> {
    if (user.groups.includes(MASTERS)) return { allowed: true, reason: '' };
    const spec = {
      user: user.username,
      ...(user.uid !== undefined && { uid: user.uid }),
      groups: user.groups,
      extra: user.extra,
      ...('path' in attributes ? { nonResourceAttributes: attributes } : { resourceAttributes: attributes }),
    };
    const key = createHash('sha256').update(JSON.stringify(spec)).digest('base64');
    return await this.#verdicts.get(key, () => this.#askWithinLimit(user.username, spec));
  }

  async #askWithinLimit(user: string, spec: object): Promise<AccessVerdict> {
    const others = this.#asking.get(user) ?? 0;
    if (others >= MAX_ASKING)
      throw new ApiError('TooManyRequests', 'too many requests of this user are in flight');
    this.#asking.set(user, others + 1);
    try {
      return await this.#ask(spec);
    } finally {
      const left = (this.#asking.get(user) ?? 1) - 1;
      if (left > 0) this.#asking.set(user, left);
      else this.#asking.delete(user);
    }
  }

  async #ask(spec: object): Promise<AccessVerdict> {
    const { text } = await this.#client.raw({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec }),
      idempotent: true,
      timeoutMs: TIMEOUT_MS,
      signal: this.#signal,
    });
    const { status } = review.parse(JSON.parse(text));
    return { allowed: status.allowed, reason: status.reason ?? '' };
  }
}
