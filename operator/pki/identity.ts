/** The operator's root key and everything derived from it. Loaded once and refreshed in the background when used. */
import type { Registry } from 'prom-client';
import type { Clock } from '../kube/clock.ts';
import type { AuthorityStore } from './authority-store.ts';
import { type CertificateExpiry, certificateExpiry } from './certificate-expiry.ts';
import { CertificateRotator } from './certificate-rotator.ts';
import { type CertificateAndKey, certificatePeriod } from './certificates.ts';
import { type Authority, issueClientCertificate, trustBundle } from './pki.ts';

/** How long a loaded authority is used before the Secret is read again, to notice a rotation by another replica. */
const RELOAD_MS = 60 * 60_000;

export interface LoadedAuthority {
  rootKey: Uint8Array;
  /** PEM of all CAs that routers have to trust. */
  trustBundle: string;
}

export class Identity {
  readonly #store: AuthorityStore;
  readonly #clock: Clock;
  readonly #client: CertificateRotator;
  readonly #caExpiry: CertificateExpiry;
  readonly #clientExpiry: CertificateExpiry;
  #loaded: { authority: Authority; at: number } | undefined;

  constructor(options: { store: AuthorityStore; clock: Clock; registry?: Registry }) {
    this.#store = options.store;
    this.#clock = options.clock;
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

  /** The whole authority, to issue other certificates. */
  async load(signal: AbortSignal): Promise<Authority> {
    const now = this.#clock.now();
    this.#caExpiry.wanted();
    if (!this.#loaded || now - this.#loaded.at >= RELOAD_MS) {
      this.#loaded = { authority: await this.#store.load(signal), at: now };
      this.#caExpiry.issued(certificatePeriod(this.#loaded.authority.current.certificatePem).notAfter);
    }
    return this.#loaded.authority;
  }
}
