/** Asks the API server whether a user may do something here, so that RBAC decides as for any other API. */
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
  /** The authorizer's words, if any. */
  reason: string;
}

/** An autoscaler asks every 15 s for each model: a minute spares most reviews, and a withdrawn right ends soon enough. */
const ALLOWED_TTL_MS = 60_000;
/** As k8s.io/apiserver's delegated authorization keeps refusals. */
const DENIED_TTL_MS = 10_000;
const MAX_ENTRIES = 5_000;
const TIMEOUT_MS = 10_000;
/**
 * Of one user at once: any ServiceAccount may come with any number of paths, each of which costs a review over the
 * operator's connections to the API server. An HPA controller works on five HPAs at a time.
 */
const MAX_ASKING = 16;

/** May do everything, as API servers have it built in: what the aggregator probes with, even while nobody can be asked. */
const MASTERS = 'system:masters';

const review = z.object({
  status: z.object({ allowed: z.boolean(), reason: z.string().optional() }),
});

export class AccessReviewer {
  readonly #client: Pick<KubeClient, 'raw'>;
  readonly #signal: AbortSignal;
  /** By hash of the question: paths are as long as clients like. */
  readonly #verdicts: TtlCache<AccessVerdict>;
  /** Reviews under way, by user. */
  readonly #asking = new Map<string, number>();

  /** @param options.signal Ends questions that are under way. */
  constructor(options: { client: Pick<KubeClient, 'raw'>; signal: AbortSignal; clock?: Clock | undefined }) {
    this.#client = options.client;
    this.#signal = options.signal;
    this.#verdicts = new TtlCache({
      ttlMs: ({ allowed }) => (allowed ? ALLOWED_TTL_MS : DENIED_TTL_MS),
      maxEntries: MAX_ENTRIES,
      clock: options.clock ?? systemClock,
    });
  }

  /** Throws KubeError when the API server cannot be asked, ApiError when the user asks too much at once. */
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
      throw new ApiError('TooManyRequests', 'too many requests of this user are being looked at');
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
