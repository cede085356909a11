/** The operator's root key and everything derived from it. Loaded once and refreshed in the background when used. */
import type { Registry } from 'prom-client';
import type { Clock } from '../kube/clock.ts';
import { type Logger, silentLogger } from '../kube/logger.ts';
import type { AuthorityStore } from './authority-store.ts';
import { type CertificateExpiry, certificateExpiry } from './certificate-expiry.ts';
import { CertificateRotator } from './certificate-rotator.ts';
import { type CertificateAndKey, certificatePeriod } from './certificates.ts';
import { type Authority, issueClientCertificate, trustBundle } from './pki.ts';

/** How long a loaded authority is used before the Secret is read again, to notice a rotation by another replica. */
const RELOAD_MS = 60 * 60_000;

/** Interval of further attempts if it cannot be read. */
const RETRY_MS = 60_000;

export interface LoadedAuthority {
  rootKey: Uint8Array;
  /** PEM of all CAs that routers have to trust. */
  trustBundle: string;
}

export class Identity {
  readonly #store: Pick<AuthorityStore, 'load'>;
  readonly #clock: Clock;
  readonly #client: CertificateRotator;
  readonly #caExpiry: CertificateExpiry;
  readonly #clientExpiry: CertificateExpiry;
  readonly #log: Logger;
  readonly #listeners: (() => void)[] = [];
  #loaded: { authority: Authority; readAgainAt: number } | undefined;

  constructor(options: {
    store: Pick<AuthorityStore, 'load'>;
    clock: Clock;
    registry?: Registry;
    log?: Logger;
  }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#log = options.log ?? silentLogger;
    this.#caExpiry = certificateExpiry(options.registry, 'ca', options.clock);
    this.#clientExpiry = certificateExpiry(options.registry, 'router-client', options.clock);
    this.#client = new CertificateRotator({
      issue: (authority) => issueClientCertificate(authority, { now: new Date(options.clock.now()) }),
      now: () => new Date(options.clock.now()),
      onIssued: this.#clientExpiry.issued,
    });
  }

  /** Root key and trust bundle. Throws KubeError or AuthorityError. */
  async authority(signal: AbortSignal): Promise<LoadedAuthority> {
    const authority = await this.load(signal);
    return { rootKey: authority.rootKey, trustBundle: trustBundle(authority) };
  }

  /** The client certificate for the routers' admin server. */
  async clientCertificate(signal: AbortSignal): Promise<CertificateAndKey> {
    this.#clientExpiry.wanted();
    return await this.#client.get(await this.load(signal));
  }

  /** Calls back whenever root key or trust bundle have changed after the first load. */
  subscribe(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** The whole authority, to issue other certificates. */
  async load(signal: AbortSignal): Promise<Authority> {
    this.#caExpiry.wanted();
    const known = this.#loaded;
    if (known && this.#clock.monotonic() < known.readAgainAt) return known.authority;
    try {
      return this.#take(await this.#store.load(signal));
    } catch (err) {
      if (signal.aborted || !known || this.#hasExpired(known.authority)) throw err;
      // Routers trust these keys. Without them they would get no table, and no model would wake.
      this.#log.error({ err }, 'the root key cannot be read; going on with the keys in memory');
      known.readAgainAt = this.#clock.monotonic() + RETRY_MS;
      return known.authority;
    }
  }

  #take(authority: Authority): Authority {
    const before = this.#loaded?.authority;
    this.#loaded = { authority, readAgainAt: this.#clock.monotonic() + RELOAD_MS };
    this.#caExpiry.issued(certificatePeriod(authority.current.certificatePem).notAfter);
    if (before && !isSame(before, authority)) for (const listener of this.#listeners) listener();
    return authority;
  }

  #hasExpired({ current }: Authority): boolean {
    return this.#clock.now() >= certificatePeriod(current.certificatePem).notAfter.getTime();
  }
}

function isSame(a: Authority, b: Authority): boolean {
  return trustBundle(a) === trustBundle(b) && Buffer.compare(a.rootKey, b.rootKey) === 0;
}
