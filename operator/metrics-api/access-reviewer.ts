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
 * Most connections for reviews, which have their own. While reviews are slow, the Lease and the watches of the operator
 * must not wait for them. More than one account may use, see `MAX_PER_ACCOUNT`.
 */
export const REVIEW_CONNECTIONS = 32;
/**
 * Most concurrent reviews per account, see `accountOf`. Any user can request any number of paths, and each costs a
 * review. An HPA controller processes five HPAs at a time.
 */
const MAX_PER_ACCOUNT = 16;
/**
 * Most concurrent reviews, including those that wait for a connection. It is less than the 128 connections that one API
 * server may open, so that requests with a cached verdict still get through.
 */
const MAX_ASKING = 96;

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
  /** Number of reviews in flight, by account. */
  readonly #asking = new Map<string, number>();
  #askingInSum = 0;

  /**
   * @param options.client With `REVIEW_CONNECTIONS` connections that nothing else uses.
   * @param options.signal Ends reviews in flight.
   */
  constructor(options: { client: Pick<KubeClient, 'raw'>; signal: AbortSignal; clock?: Clock | undefined }) {
    this.#client = options.client;
    this.#signal = options.signal;
    this.#verdicts = new TtlCache({
      ttlMs: ({ allowed }) => (allowed ? ALLOWED_TTL_MS : DENIED_TTL_MS),
      maxEntries: MAX_ENTRIES,
      clock: options.clock ?? systemClock,
    });
  }

  /** Throws KubeError if the API server does not respond, and ApiError if too many reviews are in flight. */
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
    return await this.#verdicts.get(key, () => this.#askWithinLimit(accountOf(user), spec));
  }

  async #askWithinLimit(account: string, spec: object): Promise<AccessVerdict> {
    const others = this.#asking.get(account) ?? 0;
    if (others >= MAX_PER_ACCOUNT)
      throw new ApiError(
        'TooManyRequests',
        `${others} requests of this user, or of service accounts of this namespace, await authorization; retry later`,
      );
    if (this.#askingInSum >= MAX_ASKING)
      throw new ApiError(
        'ServiceUnavailable',
        `${MAX_ASKING} requests await authorization by the API server, which is slow to answer; retry later`,
      );
    this.#asking.set(account, others + 1);
    this.#askingInSum += 1;
    try {
      return await this.#ask(spec);
    } finally {
      this.#askingInSum -= 1;
      const left = (this.#asking.get(account) ?? 1) - 1;
      if (left > 0) this.#asking.set(account, left);
      else this.#asking.delete(account);
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

/** Service accounts of a namespace share one account, because a team can create any number of them. */
function accountOf({ username }: UserInfo): string {
  return /^system:serviceaccount:[^:]+:/.exec(username)?.[0] ?? username;
}
