/** Caches the published authentication configuration and refreshes it when the cluster changes its CAs. */
import { deadline } from '../kube/abort.ts';
import type { KubeClient } from '../kube/client.ts';
import { type Clock, systemClock } from '../kube/clock.ts';
import { type Logger, silentLogger } from '../kube/logger.ts';
import type { KubeObject } from '../kube/object.ts';
import { CONFIG_MAPS } from '../kube/resource-types.ts';
import {
  AUTHENTICATION_CONFIG_MAP,
  type AuthenticationConfig,
  NO_AUTHENTICATION_CONFIG,
  parseAuthenticationConfig,
} from './authentication-config.ts';

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

/** The configuration changes very rarely, so it is refreshed in the background when used. */
const REFRESH_MS = 60_000;
/** An unknown certificate triggers a refresh, but not more often than this. */
const RETRY_MS = 5_000;
/** The aggregator stops waiting for a response after five seconds. */
const READ_TIMEOUT_MS = 3_000;

export class AuthenticationConfigSource {
  readonly #client: Pick<KubeClient, 'get'>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #signal: AbortSignal;
  #config: AuthenticationConfig | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<AuthenticationConfig> | undefined;
  #problem: string | undefined;

  /** @param options.signal Ends reads in flight. */
  constructor(options: {
    client: Pick<KubeClient, 'get'>;
    signal: AbortSignal;
    clock?: Clock | undefined;
    log?: Logger | undefined;
  }) {
    this.#client = options.client;
    this.#signal = options.signal;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLogger;
  }

  /** The cached configuration. Waits only if there is none yet. Never rejects. */
  async current(): Promise<AuthenticationConfig> {
    if (!this.#config) return this.#refresh(RETRY_MS);
    if (this.#age() >= REFRESH_MS) void this.#refresh(RETRY_MS);
    return this.#config;
  }

  /** After `known` has rejected a certificate: a newer configuration if there is one, else the same. */
  async newerThan(known: AuthenticationConfig): Promise<AuthenticationConfig> {
    return this.#config !== known && this.#config ? this.#config : this.#refresh(RETRY_MS);
  }

  #age(): number {
    return this.#clock.monotonic() - this.#readAt;
  }

  #refresh(minAgeMs: number): Promise<AuthenticationConfig> {
    if (this.#reading !== undefined) return this.#reading;
    if (this.#age() < minAgeMs) return Promise.resolve(this.#config ?? NO_AUTHENTICATION_CONFIG);
    this.#readAt = this.#clock.monotonic();
    this.#reading = this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** The cached configuration survives a failure, because CAs remain valid. */
  async #read(): Promise<AuthenticationConfig> {
    const limit = deadline(
      this.#signal,
      READ_TIMEOUT_MS,
      this.#clock,
      () => new Error('no response in time'),
    );
    try {
      const found = await this.#client.get<ConfigMap>(CONFIG_MAPS, AUTHENTICATION_CONFIG_MAP, {
        signal: limit.signal,
      });
      this.#config = parseAuthenticationConfig(found.data);
      this.#problem = undefined;
    } catch (error) {
      this.#noteProblem(error);
    } finally {
      limit.dispose();
    }
    return this.#config ?? NO_AUTHENTICATION_CONFIG;
  }

  #noteProblem(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (this.#signal.aborted || message === this.#problem) return;
    this.#problem = message;
    this.#log.warn(
      {
        err: error,
        remedy: 'bind the Role extension-apiserver-authentication-reader of kube-system to the operator',
      },
      'cannot read the authentication configuration, so the metrics API rejects requests through the API server',
    );
  }
}
