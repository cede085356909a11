/** All routers of one pool. Sends each the newest table and polls its demand. */
import { type Clock, systemClock } from '../kube/clock.ts';
import { type Logger, silentLogger } from '../kube/logger.ts';
import { Notifier } from './notifier.ts';
import type { DemandReport, UsageReport } from './protocol.ts';
import type { RouteTable } from './route-table.ts';
import type { RouterAdmin } from './router-admin.ts';
import type { RouterAdminError } from './router-admin-error.ts';
import type { RouterEndpoint } from './router-endpoints.ts';
import { RouterLink, type RouterStatus } from './router-link.ts';

/** Callbacks of a fleet. They are called in order, and not concurrently for the same router. */
export interface FleetListener {
  /** The demand at a router: at once when a request is held, else about every second. */
  onReport?(endpoint: RouterEndpoint, report: DemandReport): void;
  /** A router does not respond, so its demand is unknown. Repeated until it responds. */
  onError?(endpoint: RouterEndpoint, error: RouterAdminError): void;
  /** A router was removed, and its demand with it. */
  onRemoved?(endpoint: RouterEndpoint): void;
  /** `status()` has changed. */
  onStatus?(): void;
}

export interface RouterFleetOptions {
  admin: Pick<RouterAdmin, 'putRoutes' | 'patchRoutes' | 'demand' | 'usage' | 'forget'>;
  listener?: FleetListener;
  /** How long a poll waits for a held request. Default 1 s. */
  pollWaitMs?: number;
  clock?: Clock;
  random?: () => number;
  log?: Logger;
}

interface Member {
  link: RouterLink;
  endpoint: RouterEndpoint;
  /** When it last responded, or joined, in monotonic milliseconds. */
  heardAt: number;
  isLost: boolean;
  stop: AbortController;
  done: Promise<void>;
}

/**
 * A router that has not responded for this long and is not ready either counts as lost: it has no new clients, and earlier
 * requests have ended. A dead node is detected within 50 s.
 */
const LOST_MS = 60_000;

/** Delay after a bug, so that it fills neither CPU nor log. */
const RESTART_MS = 1_000;

export class RouterFleet {
  readonly #options: Required<RouterFleetOptions>;
  readonly #members = new Map<string, Member>();
  readonly #leaving = new Set<Promise<void>>();
  #table: RouteTable | undefined;
  #closed = false;

  constructor(options: RouterFleetOptions) {
    this.#options = {
      listener: {},
      pollWaitMs: 1_000,
      clock: systemClock,
      random: Math.random,
      log: silentLogger,
      ...options,
    };
  }

  /** Sets the routers of the pool. A new one is sent the table at once; a removed one is disconnected. */
  setRouters(endpoints: readonly RouterEndpoint[]): void {
    if (this.#closed) return;
    const wanted = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]));
    for (const [id, member] of this.#members) {
      if (wanted.get(id)?.address !== member.endpoint.address) this.#remove(id, member);
    }
    for (const endpoint of wanted.values()) {
      const member = this.#members.get(endpoint.id);
      if (!member) this.#add(endpoint);
      else {
        member.endpoint = endpoint;
        member.link.setEndpoint(endpoint);
      }
    }
    for (const member of this.#members.values()) member.isLost = this.#isLost(member);
    this.#changed();
  }

  /** Publishes a table to all routers. A router that is busy with an older table skips the ones in between. */
  publish(table: RouteTable): void {
    if (this.#table === table) return;
    this.#table = table;
    for (const { link } of this.#members.values()) link.publish(table);
  }

  /** All routers except the lost ones. */
  present(): RouterEndpoint[] {
    return [...this.#members.values()].filter(({ isLost }) => !isLost).map(({ endpoint }) => endpoint);
  }

  /**
   * What each router counted since the batch that `after` names for it. Routers that do not answer are left out: they go on
   * counting, and why they do not is known from their polls.
   */
  async usage(
    after: (id: string) => number,
    signal: AbortSignal,
  ): Promise<{ router: string; report: UsageReport }[]> {
    const { admin } = this.#options;
    const answers = [...this.#members.values()].map(async ({ endpoint }) => {
      const report = await admin.usage(endpoint, after(endpoint.id), signal);
      return { router: endpoint.id, report };
    });
    const settled = await Promise.allSettled(answers);
    signal.throwIfAborted();
    return settled.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }

  /** One entry per router. */
  status(): RouterStatus[] {
    return [...this.#members.values()].map(({ link }) => link.status());
  }

  /** Whether all routers except lost ones run this version of the table or a later one. True if there are none. */
  isConfirmed(version: number): boolean {
    return [...this.#members.values()].every(({ link, isLost }) => {
      const confirmed = link.status().version;
      return isLost || (confirmed !== undefined && confirmed >= version);
    });
  }

  /** Disconnects all routers. Resolves once nothing runs any more. Routers keep their table. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const [id, member] of this.#members) this.#remove(id, member);
    await Promise.all(this.#leaving);
  }

  #add(endpoint: RouterEndpoint): void {
    const { admin, listener, pollWaitMs, clock, random, log } = this.#options;
    const link = new RouterLink({
      endpoint,
      admin,
      pollWaitMs,
      clock,
      random,
      log,
      onReport: (report) => {
        this.#heard(endpoint.id);
        listener.onReport?.(endpoint, report);
      },
      onError: () => this.#silent(endpoint.id),
      onStatus: () => this.#changed(),
    });
    const stop = new AbortController();
    if (this.#table) link.publish(this.#table);
    this.#members.set(endpoint.id, {
      link,
      endpoint,
      heardAt: clock.monotonic(),
      isLost: false,
      stop,
      done: this.#keepRunning(link, endpoint, stop.signal),
    });
  }

  #heard(id: string): void {
    const member = this.#members.get(id);
    if (!member) return;
    member.heardAt = this.#options.clock.monotonic();
    this.#find(member);
  }

  #silent(id: string): void {
    const member = this.#members.get(id);
    if (member) this.#find(member);
  }

  #find(member: Member): void {
    const isLost = this.#isLost(member);
    if (isLost === member.isLost) return;
    member.isLost = isLost;
    const { log } = this.#options;
    if (isLost) log.warn({ router: member.endpoint.name }, 'router is lost: neither ready nor heard of');
    this.#changed();
  }

  #isLost({ endpoint, heardAt }: Member): boolean {
    return !endpoint.ready && this.#options.clock.monotonic() - heardAt > LOST_MS;
  }

  #remove(id: string, { endpoint, stop, done }: Member): void {
    const { admin } = this.#options;
    this.#members.delete(id);
    stop.abort();
    const left = done.then(() => admin.forget(endpoint)).finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }

  async #keepRunning(link: RouterLink, endpoint: RouterEndpoint, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      try {
        await link.run(signal);
      } catch (err) {
        log.error({ err, router: endpoint.name }, 'link to router broke off, starting it again');
        await new Notifier().wait(signal, RESTART_MS, clock);
      }
    }
  }

  #changed(): void {
    this.#options.listener.onStatus?.();
  }
}
