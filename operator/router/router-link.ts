/** Keeps one router up to date and polls its demand. */
import { backoffDelay } from '../kube/backoff.ts';
import type { Clock } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import { FailureLog, type RouterOperation } from './failure-log.ts';
import { Notifier } from './notifier.ts';
import type { DemandReport } from './protocol.ts';
import { changeBetween } from './route-change.ts';
import type { RouteTable } from './route-table.ts';
import type { RouterAdmin } from './router-admin.ts';
import { RouterAdminError } from './router-admin-error.ts';
import type { RouterEndpoint } from './router-endpoints.ts';

/** The state of one router. */
export interface RouterStatus {
  endpoint: RouterEndpoint;
  /** Version of the table that it has confirmed and still runs, as far as known. */
  version: number | undefined;
  /** The last error. Cleared when the same operation succeeds. */
  error: RouterAdminError | undefined;
  /** When it last responded, in milliseconds since 1970; undefined if it never did. */
  lastAnswerMs: number | undefined;
}

export interface RouterLinkOptions {
  endpoint: RouterEndpoint;
  admin: Pick<RouterAdmin, 'putRoutes' | 'patchRoutes' | 'demand'>;
  /** How long a poll waits for a held request. */
  pollWaitMs: number;
  clock: Clock;
  random: () => number;
  log: Logger;
  onReport: (report: DemandReport) => void;
  onError: (error: RouterAdminError) => void;
  /** The version or error in `status()` has changed. */
  onStatus: () => void;
}

/** First and longest delay after a failure. Short, because a restarted router must get its routes soon. */
const BACKOFF = { baseMs: 50, capMs: 2_000 };

/**
 * Pause between two polls, and more of it for each model of the report: four times what the operator needs for one. So a
 * router that always responds at once, because clients make it or it is compromised, takes a fifth of its time at most.
 */
const POLL_PAUSE_MS = 10;
const PAUSE_PER_MODEL_MS = 0.01;

/**
 * How long to leave a router alone after another operator sent it a newer table. That operator is the new leader, and this
 * process is about to stop. If it still runs after the lease duration (15 s), it is the leader and its clock is behind.
 */
const SUPERSEDED_MS = 15_000;

export class RouterLink {
  readonly #options: RouterLinkOptions;
  readonly #changed = new Notifier();
  readonly #recovered = new Notifier();
  readonly #failures: FailureLog;
  #endpoint: RouterEndpoint;
  #desired: RouteTable | undefined;
  #confirmed: RouteTable | undefined;
  /** The version under which the router runs the confirmed table. */
  #confirmedVersion = 0;
  /** Whether this operator is the last one known to have sent a table. */
  #owned = false;
  /** The last table sent, and the version used. That is higher than the table's own if the router had a newer one. */
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
    this.#endpoint = options.endpoint;
    this.#failures = new FailureLog(options);
  }

  /** Sets the state of the same pod. */
  setEndpoint(endpoint: RouterEndpoint): void {
    this.#endpoint = endpoint;
  }

  /** Sets the table that the router has to run. */
  publish(table: RouteTable): void {
    this.#desired = table;
    this.#changed.notify();
  }

  status(): RouterStatus {
    return {
      endpoint: this.#endpoint,
      version: this.#confirmed?.version,
      error: this.#pushError ?? this.#pollError,
      lastAnswerMs: this.#lastAnswerMs,
    };
  }

  /** Works until the signal aborts. Rejects only because of a bug or if a callback throws; may then be called again. */
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

  /** Sends only the change if the router runs the table that the change is based on. */
  async #send(table: RouteTable, version: number, signal: AbortSignal): Promise<void> {
    const { admin } = this.#options;
    const endpoint = this.#endpoint;
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

  /** A version always has the same content, so the same table keeps its version unless the router has a newer one. */
  #versionFor(table: RouteTable): number {
    const { table: sentTable, version = 0 } = this.#sent ?? {};
    if (table === sentTable && version > this.#foreignVersion) return version;
    return Math.max(table.version, version + 1, this.#foreignVersion + 1);
  }

  #notePush(error: RouterAdminError | undefined): void {
    this.#note('push', error);
    this.#pushError = error;
    this.#options.onStatus();
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
      const pauseMs = POLL_PAUSE_MS + Object.keys(report.models).length * PAUSE_PER_MODEL_MS;
      await this.#pause(pauseMs, signal);
    }
  }

  async #poll(since: number, signal: AbortSignal): Promise<DemandReport | undefined> {
    const { admin, pollWaitMs, clock, onError } = this.#options;
    try {
      const report = await admin.demand(this.#endpoint, { since, waitMs: pollWaitMs }, signal);
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
    this.#note('poll', error);
    if (error?.code === this.#pollError?.code) return;
    this.#pollError = error;
    this.#options.onStatus();
  }

  #note(operation: RouterOperation, error: RouterAdminError | undefined): void {
    if (error) this.#failures.failed(operation, this.#endpoint, error);
    else this.#failures.succeeded(operation, this.#endpoint);
  }

  /**
   * Sends the table again if a poll shows that the router does not run it, because it was restarted or another operator has
   * sent a table.
   */
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
