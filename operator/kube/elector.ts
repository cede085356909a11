/**
 * Leader election on a Lease, by the rules of client-go (tools/leaderelection). Whether the Lease of another holder has
 * expired depends on how long it was seen unchanged, not on the timestamps in it, so clocks need not agree. It does not
 * fence: writes have to be safe on their own.
 */
import type { Registry } from 'prom-client';
import { deadline } from './abort.ts';
import type { KubeClient } from './client.ts';
import { type Clock, sleep, systemClock } from './clock.ts';
import { isKubeError } from './errors.ts';
import { claimed, type Lease, released } from './lease.ts';
import { type Logger, silentLogger } from './logger.ts';
import { counter, gauge } from './metrics.ts';
import { LEASES } from './resource-types.ts';
import { stableStringify } from './stable-hash.ts';

export interface LeaderElectorOptions {
  client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  /** Namespace of the Lease. */
  namespace: string;
  name: string;
  /** Unique per process, for example the pod name and a random suffix. */
  identity: string;
  /** How long others wait after the last renewal that they saw. Default 15 s. */
  leaseDurationMs?: number;
  /** How long the holder may go without a renewal. Default 10 s. */
  renewDeadlineMs?: number;
  /** Interval between attempts. Default 2 s. */
  retryPeriodMs?: number;
  log?: Logger;
  registry?: Registry | undefined;
  clock?: Clock;
  random?: () => number;
}

export interface ElectionCallbacks {
  /** Called once, when this process becomes the leader. */
  onElected(): void;
  /** Called once, when the Lease was lost. Another process may lead at once, so exit. */
  onLost(reason: string): void;
}

/** client-go's jitter of the interval between attempts to acquire. */
const JITTER = 1.2;

export class LeaderElector {
  readonly #options: LeaderElectorOptions;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  /** Half of the deadline, as in client-go (NewFromKubeconfig), so that one request without an answer does not cost the Lease. */
  readonly #requestTimeoutMs: number;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log: Logger;
  readonly #setMaster: (value: 0 | 1) => void;
  readonly #countSlowPath: () => void;
  #lease: Lease | undefined;
  /** The record as it was last seen to change, and when that was. */
  #observed: { record: string; at: number } | undefined;
  /** When the last successful renewal was sent; undefined while not leading. */
  #renewedAt: number | undefined;

  /** @throws RangeError if the durations would allow two leaders at once. */
  constructor(options: LeaderElectorOptions) {
    this.#options = options;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000;
    this.#requestTimeoutMs = this.#renewDeadlineMs / 2;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#log = (options.log ?? silentLogger).child({ lease: `${options.namespace}/${options.name}` });
    if (
      this.#leaseDurationMs <= this.#renewDeadlineMs ||
      this.#renewDeadlineMs <= this.#retryPeriodMs * JITTER
    ) {
      throw new RangeError(
        `leader election needs leaseDuration > renewDeadline > retryPeriod × ${JITTER}, got ` +
          `${this.#leaseDurationMs}, ${this.#renewDeadlineMs}, ${this.#retryPeriodMs} ms`,
      );
    }
    this.#setMaster = masterGauge(options.registry, options.name);
    this.#countSlowPath = slowPathCounter(options.registry, options.name);
  }

  /** Whether this process leads, as far as it knows. False as soon as the renewal is overdue. */
  get isLeader(): boolean {
    return this.#renewedAt !== undefined && this.#clock.monotonic() < this.#renewedAt + this.#renewDeadlineMs;
  }

  /** Tries to lead until the signal aborts, then releases the Lease. Also resolves after `onLost`. */
  async run(signal: AbortSignal, callbacks: ElectionCallbacks): Promise<void> {
    if (!(await this.#acquire(signal))) {
      return;
    }
    this.#log.info({ identity: this.#options.identity }, 'leading');
    this.#setMaster(1);
    callbacks.onElected();
    const lost = await this.#hold(signal);
    if (lost === undefined) {
      await this.#release();
    }
    this.#renewedAt = undefined;
    this.#setMaster(0);
    if (lost !== undefined) {
      this.#log.error({ reason: lost }, 'lost the Lease');
      callbacks.onLost(lost);
    }
  }

  async #acquire(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      if ((await this.#attempt(signal)) === 'held') {
        return true;
      }
      const waitMs = this.#retryPeriodMs * (1 + JITTER * this.#random());
      await sleep(waitMs, { clock: this.#clock, signal }).catch(() => {});
    }
    return false;
  }

  /** Renews until the signal aborts (undefined) or the Lease is lost (the reason). */
  async #hold(signal: AbortSignal): Promise<string | undefined> {
    while (!signal.aborted) {
      const leftMs = (this.#renewedAt ?? 0) + this.#renewDeadlineMs - this.#clock.monotonic();
      const overdue = new Error(`not renewed within ${this.#renewDeadlineMs} ms`);
      const limit = deadline(signal, leftMs, this.#clock, () => overdue);
      try {
        await sleep(this.#retryPeriodMs, { clock: this.#clock, signal: limit.signal });
        if ((await this.#attempt(limit.signal)) === 'taken') {
          return `taken by ${this.#lease?.spec?.holderIdentity ?? 'another process, which has released it'}`;
        }
        limit.signal.throwIfAborted();
      } catch (error) {
        if (error === overdue) {
          return overdue.message;
        }
      } finally {
        limit.dispose();
      }
    }
    return undefined;
  }

  /** One attempt to acquire or renew the Lease. After `failed` the next attempt may succeed. */
  async #attempt(signal: AbortSignal): Promise<'held' | 'taken' | 'failed'> {
    try {
      if (this.#renewedAt !== undefined && this.#lease !== undefined) {
        const renewed = await this.#claim(this.#lease, signal).catch((error: unknown) => {
          signal.throwIfAborted();
          this.#countSlowPath();
          this.#log.debug({ err: error }, 'renewal failed, reading the lease');
          return undefined;
        });
        if (renewed !== undefined) {
          return 'held';
        }
      }
      const lease = await this.#read(signal);
      if (lease !== undefined && this.#isTaken(lease)) {
        return 'taken';
      }
      await this.#claim(lease, signal);
      return 'held';
    } catch (error) {
      if (!signal.aborted && !isKubeError(error, 'Conflict', 'AlreadyExists')) {
        this.#log.warn({ err: error }, 'cannot read or write the Lease, retrying');
      }
      return 'failed';
    }
  }

  async #read(signal?: AbortSignal): Promise<Lease | undefined> {
    const { client, namespace, name } = this.#options;
    try {
      const lease = await client.get<Lease>(
        LEASES,
        { namespace, name },
        { signal, timeoutMs: this.#requestTimeoutMs },
      );
      this.#observe(lease);
      return lease;
    } catch (error) {
      if (isKubeError(error, 'NotFound')) {
        return undefined;
      }
      throw error;
    }
  }

  /** The time is taken before the request, because the server may store the renewal at any moment after it. */
  async #claim(lease: Lease | undefined, signal: AbortSignal): Promise<Lease> {
    const { client, namespace, name, identity } = this.#options;
    const sentAt = this.#clock.monotonic();
    const spec = claimed(lease?.spec, {
      identity,
      leaseDurationMs: this.#leaseDurationMs,
      now: this.#clock.now(),
    });
    const wanted: Lease = lease
      ? { ...lease, spec }
      : { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { namespace, name }, spec };
    const options = { signal, timeoutMs: this.#requestTimeoutMs };
    const stored = lease
      ? await client.replace<Lease>(LEASES, wanted, options)
      : await client.create<Lease>(LEASES, wanted, options);
    this.#observe(stored);
    this.#renewedAt = sentAt;
    return stored;
  }

  #observe(lease: Lease): void {
    this.#lease = lease;
    const record = stableStringify(lease.spec);
    if (this.#observed?.record !== record) {
      this.#observed = { record, at: this.#clock.monotonic() };
    }
  }

  /** For the present holder, any other name means that the Lease is lost, because another process may have led in between. */
  #isTaken(lease: Lease): boolean {
    const { holderIdentity, leaseDurationSeconds } = lease.spec ?? {};
    if (holderIdentity === this.#options.identity) {
      return false;
    }
    if (this.#renewedAt !== undefined) {
      return true;
    }
    if (!holderIdentity) {
      return false;
    }
    const durationMs = leaseDurationSeconds ? leaseDurationSeconds * 1000 : this.#leaseDurationMs;
    return this.#clock.monotonic() < (this.#observed?.at ?? 0) + durationMs;
  }

  /** Releases the Lease, so that the next leader does not have to wait until it expires. */
  async #release(): Promise<void> {
    try {
      await this.#giveBack(this.#lease).catch(async (error: unknown) => {
        if (!isKubeError(error, 'Conflict')) throw error;
        // The renewal that was in flight at shutdown was stored after all.
        await this.#giveBack(await this.#read());
      });
    } catch (error) {
      this.#log.warn({ err: error }, 'cannot release the Lease, it will expire');
    }
  }

  async #giveBack(lease: Lease | undefined): Promise<void> {
    if (lease?.spec?.holderIdentity !== this.#options.identity) return;
    const spec = released(lease.spec, this.#clock.now());
    await this.#options.client.replace(LEASES, { ...lease, spec }, { timeoutMs: this.#retryPeriodMs });
    this.#log.info({}, 'released the Lease');
  }
}

function masterGauge(registry: Registry | undefined, name: string): (value: 0 | 1) => void {
  if (registry === undefined) {
    return () => {};
  }
  const metric = gauge(registry, {
    name: 'leader_election_master_status',
    help: '1 while this process holds the lease.',
    labelNames: ['name'],
  });
  metric.set({ name }, 0);
  return (value) => metric.set({ name }, value);
}

function slowPathCounter(registry: Registry | undefined, name: string): () => void {
  if (registry === undefined) {
    return () => {};
  }
  const metric = counter(registry, {
    name: 'leader_election_slowpath_total',
    help: 'Renewals that had to read the lease first.',
    labelNames: ['name'],
  });
  metric.inc({ name }, 0);
  return () => metric.inc({ name });
}
