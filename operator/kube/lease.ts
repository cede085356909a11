/** coordination.k8s.io/v1 Lease, as leader election uses it. */
import { microTime } from './clock.ts';
import type { KubeObject } from './object.ts';

export interface LeaseSpec {
  /** Absent if nobody holds the Lease. */
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

export interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

export interface Claim {
  identity: string;
  leaseDurationMs: number;
  /** Milliseconds since the epoch. */
  now: number;
}

/** The spec of a Lease that `identity` acquires or renews. */
export function claimed(
  previous: LeaseSpec | undefined,
  { identity, leaseDurationMs, now }: Claim,
): LeaseSpec {
  const time = microTime(now);
  const renewal = previous?.holderIdentity === identity;
  const transitions = previous?.leaseTransitions ?? 0;
  return {
    ...previous,
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(leaseDurationMs / 1000),
    acquireTime: renewal ? (previous.acquireTime ?? time) : time,
    renewTime: time,
    leaseTransitions: renewal || previous === undefined ? transitions : transitions + 1,
  };
}

/** The spec of a released Lease: no holder, and a duration of one second for clients that only check the duration. */
export function released(previous: LeaseSpec | undefined, now: number): LeaseSpec {
  const { holderIdentity, ...others } = previous ?? {};
  return { ...others, leaseDurationSeconds: 1, renewTime: microTime(now), acquireTime: microTime(now) };
}
