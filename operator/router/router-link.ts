/** Keeps one router up to date and listens to it. */
import { backoffDelay } from '../kube/backoff.ts';
import type { Clock } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import { Notifier } from './notifier.ts';
import type { DemandReport } from './protocol.ts';
import { changeBetween } from './route-change.ts';
import type { RouteTable } from './route-table.ts';
import type { RouterAdmin } from './router-admin.ts';
import { RouterAdminError } from './router-admin-error.ts';
import type { RouterEndpoint } from './router-endpoints.ts';

/** What is known of one router. */
export interface RouterStatus {
  endpoint: RouterEndpoint;
  /** Version of the table that it has confirmed and, as far as we know, still runs. */
  version: number | undefined;
  /** The last failure, until the same thing succeeds. */
  error: RouterAdminError | undefined;
  /** When it last answered, in milliseconds since 1970; undefined before it ever did. */
  lastAnswerMs: number | undefined;
}

export interface RouterLinkOptions {
  endpoint: RouterEndpoint;
  admin: Pick<RouterAdmin, 'putRoutes' | 'patchRoutes' | 'demand'>;
  /** How long a poll waits for something to happen. */
  pollWaitMs: number;
  clock: Clock;
  random: () => number;
  log: Logger;
  onReport: (report: DemandReport) => void;
  onError: (error: RouterAdminError) => void;
  /** `status()` has another version or error than before. */
  onStatus: () => void;
}

/** First and longest wait after a failure. Short, because a router that comes back must not wait for its routes. */
const BACKOFF = { baseMs: 50, capMs: 2_000 };

/** Between two polls: bounds what a router can cost that answers at once all the time. */
const POLL_PAUSE_MS = 10;

/**
 * How long to let be when another operator sent this router a newer table: that is the new leader, and this process is
 * about to stop. One that still runs after a lease's length (15 s) is the leader, with a clock that stands behind.
 */
const SUPERSEDED_MS = 15_000;

export class RouterLink {
  readonly #options: RouterLinkOptions;
  readonly #changed = new Notifier();
  readonly #recovered = new Notifier();
  #desired: RouteTable | undefined;
  #confirmed: RouteTable | undefined;
  /** The version under which the router runs that. */
  #confirmedVersion = 0;
  /** Whether this operator is the last one known to have sent a table. */
  #owned = false;
  /** The last table that was sent, and under which version: above its own if the router had a newer one. */
  #sent: { table: RouteTable; version: number } | undefined;
  /** The newest version that another operator is known to have sent. */
  #foreignVersion = 0;
  #attempts = 0;
  #pushing = false;
  #pushError: RouterAdminError | undefined;
  #pollError: RouterAdminError | undefined;
  #lastAnswerMs: number | undefined;

  constructor(options: RouterLinkOptions) {
    this.#options = options;
  }

  /** The table that the router is to run from now on. */
  publish(table: RouteTable): void {
    this.#desired = table;
    this.#changed.notify();
  }

  status(): RouterStatus {
    return {
      endpoint: this.#options.endpoint,
      version: this.#confirmed?.version,
      error: this.#pushError ?? this.#pollError,
      lastAnswerMs: this.#lastAnswerMs,
    };
  }

  /** Works until the signal aborts. Rejects only for a bug or when a callback throws; may be called again then. */
  async run(signal: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const both = AbortSignal.any([signal, failed.signal]);
    const loops = [this.#pushLoop(both), this.#pollLoop(both)];
    try {
      await Promise.all(loops);
    } finally {
      failed.abort();
      await Promise.allSettled(loops);
    }
  }

  async #pushLoop(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      const table = this.#desired;
      if (!table || table === this.#confirmed) {
        await this.#changed.wait(signal);
        continue;
      }
      const error = await this.#push(table, signal);
      if (signal.aborted) return;
      this.#notePush(error);
      if (!error) {
        failures = 0;
      } else if (error.code === 'Superseded' && this.#owned) {
        this.#owned = false;
        await this.#pause(SUPERSEDED_MS, signal);
      } else {
        this.#recovered.clear();
        await this.#recovered.wait(signal, this.#backoff(failures), this.#options.clock);
        failures += 1;
      }
    }
  }

  async #push(table: RouteTable, signal: AbortSignal): Promise<RouterAdminError | undefined> {
    const { clock } = this.#options;
    const version = this.#versionFor(table);
    this.#sent = { table, version };
    this.#attempts += 1;
    this.#pushing = true;
    try {
      await this.#send(table, version, signal);
      this.#confirmed = table;
      this.#confirmedVersion = version;
      this.#owned = true;
      this.#lastAnswerMs = clock.now();
      return undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error instanceof RouterAdminError)) throw error;
      this.#foreignVersion = Math.max(this.#foreignVersion, error.newerVersion ?? 0);
      return error;
    } finally {
      this.#pushing = false;
    }
  }

  /** Only what has changed, if the router runs what it changed from. */
  async #send(table: RouteTable, version: number, signal: AbortSignal): Promise<void> {
    const { admin, endpoint } = this.#options;
    const change = this.#confirmed && changeBetween(this.#confirmed, table);
    if (change) {
      try {
        await admin.patchRoutes(endpoint, { from: this.#confirmedVersion, version, ...change }, signal);
        return;
      } catch (error) {
        if (!(error instanceof RouterAdminError) || error.code !== 'OtherBase') throw error;
      }
    }
    await admin.putRoutes(endpoint, version === table.version ? table : { ...table, version }, signal);
  }

  /** A version means one content: the same as before for the same table, unless the router has moved on. */
  #versionFor(table: RouteTable): number {
    const { table: sentTable, version = 0 } = this.#sent ?? {};
    if (table === sentTable && version > this.#foreignVersion) return version;
    return Math.max(table.version, version + 1, this.#foreignVersion + 1);
  }

  #notePush(error: RouterAdminError | undefined): void {
    const { log, endpoint, onStatus } = this.#options;
    if (error && error.code !== this.#pushError?.code) {
      log.warn({ router: endpoint.name, code: error.code, error: error.message }, 'routes not sent');
    }
    this.#pushError = error;
    onStatus();
  }

  async #pollLoop(signal: AbortSignal): Promise<void> {
    const { onReport } = this.#options;
    let since = 0;
    let failures = 0;
    while (!signal.aborted) {
      const attempts = this.#pushing ? undefined : this.#attempts;
      const report = await this.#poll(since, signal);
      if (signal.aborted) return;
      if (!report) {
        await this.#pause(this.#backoff(failures), signal);
        failures += 1;
        continue;
      }
      if (failures > 0) this.#recovered.notify();
      failures = 0;
      since = report.seq;
      if (attempts === this.#attempts) this.#compare(report.version);
      onReport(report);
      await this.#pause(POLL_PAUSE_MS, signal);
    }
  }

  async #poll(since: number, signal: AbortSignal): Promise<DemandReport | undefined> {
    const { admin, endpoint, pollWaitMs, clock, onError } = this.#options;
    try {
      const report = await admin.demand(endpoint, { since, waitMs: pollWaitMs }, signal);
      this.#lastAnswerMs = clock.now();
      this.#notePoll(undefined);
      return report;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error instanceof RouterAdminError)) throw error;
      this.#notePoll(error);
      onError(error);
      return undefined;
    }
  }

  #notePoll(error: RouterAdminError | undefined): void {
    const { log, endpoint, onStatus } = this.#options;
    if (error?.code === this.#pollError?.code) return;
    if (error)
      log.warn({ router: endpoint.name, code: error.code, error: error.message }, 'router does not answer');
    else log.info({ router: endpoint.name }, 'router answers again');
    this.#pollError = error;
    onStatus();
  }

  /** Sends the table anew when the router, by what it said with no push under way, does not run it: it was started anew, or had another sender. */
  #compare(version: number): void {
    if (!this.#confirmed || version === this.#sent?.version) return;
    this.#confirmed = undefined;
    this.#changed.notify();
    this.#options.onStatus();
  }

  #backoff(failures: number): number {
    return backoffDelay(failures, { ...BACKOFF, random: this.#options.random });
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    await new Notifier().wait(signal, ms, this.#options.clock);
  }
}
