/** Renews one certificate in memory. */
import { type CertificateAndKey, certificatePeriod, renewalTime } from './certificates.ts';
import type { Authority } from './pki.ts';

interface KeptCertificate {
  certificate: CertificateAndKey;
  issuer: string;
  notBefore: Date;
  renewAt: Date;
}

/**
 * Returns the same certificate until two thirds of its lifetime have passed or another CA signs, then issues a new one.
 * Compare by identity to detect a change.
 */
export class CertificateRotator {
  readonly #issue: (authority: Authority) => Promise<CertificateAndKey>;
  readonly #now: () => Date;
  readonly #onIssued: (expiresAt: Date) => void;
  #kept: Promise<KeptCertificate> | undefined;

  constructor(options: {
    issue: (authority: Authority) => Promise<CertificateAndKey>;
    now?: () => Date;
    /** Called with the end of each new certificate. */
    onIssued?: (expiresAt: Date) => void;
  }) {
    this.#issue = options.issue;
    this.#now = options.now ?? (() => new Date());
    this.#onIssued = options.onIssued ?? (() => {});
  }

  /** The current certificate. */
  async get(authority: Authority): Promise<CertificateAndKey> {
    const kept = await this.#kept?.catch(() => undefined);
    if (kept && this.#fresh(kept, authority)) return kept.certificate;
    this.#kept = this.#issue(authority).then((certificate) => {
      const { notBefore, notAfter } = certificatePeriod(certificate.certificatePem);
      this.#onIssued(notAfter);
      return {
        certificate,
        issuer: authority.current.certificatePem,
        notBefore,
        renewAt: renewalTime(certificate.certificatePem),
      };
    });
    return (await this.#kept).certificate;
  }

  #fresh(kept: KeptCertificate, authority: Authority): boolean {
    const now = this.#now();
    return (
      kept.issuer === authority.current.certificatePem &&
      now < kept.renewAt &&
      // If the clock was set back, the certificate must not be used before it is valid.
      now >= kept.notBefore
    );
  }
}
