/** Verifies client certificates against CAs by the rules of Go's crypto/x509, which Kubernetes uses. */
import type { X509Certificate } from 'node:crypto';

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_USAGE = '2.5.29.37.0';
/** Most intermediate certificates. */
const MAX_INTERMEDIATES = 4;

/** Follows the chain that the client sent up to one of the CAs. `now` is in milliseconds since 1970. */
export function isIssuedBy(
  certificate: X509Certificate,
  cas: readonly X509Certificate[],
  now: number,
): boolean {
  if (!isForClients(certificate)) return false;
  let link: X509Certificate | undefined = certificate;
  for (let depth = 0; link && depth <= MAX_INTERMEDIATES; depth++) {
    if (!isValidAt(link, now) || (depth > 0 && !link.ca)) return false;
    const checked = link;
    if (cas.some((ca) => isValidAt(ca, now) && isSignedBy(checked, ca))) return true;
    const next: X509Certificate | undefined = link.issuerCertificate;
    // A self-signed certificate is its own issuer and ends the chain.
    if (!next || next.fingerprint256 === link.fingerprint256 || !isSignedBy(link, next)) return false;
    link = next;
  }
  return false;
}

/** Common name and organizations, from which Kubernetes derives a user. */
export function subjectOf(certificate: X509Certificate): { commonName: string; organizations: string[] } {
  const subject: unknown = certificate.toLegacyObject().subject;
  const { CN, O } = subject as Record<'CN' | 'O', string | string[] | undefined>;
  return { commonName: list(CN).at(-1) ?? '', organizations: list(O) };
}

function isForClients({ keyUsage }: X509Certificate): boolean {
  // Node reports the extended key usages under this name. Without any, a certificate may be used for everything.
  const usages = keyUsage as readonly string[] | undefined;
  return usages === undefined || usages.includes(CLIENT_AUTH) || usages.includes(ANY_USAGE);
}

function isValidAt(certificate: X509Certificate, now: number): boolean {
  return certificate.validFromDate.getTime() <= now && now <= certificate.validToDate.getTime();
}

function isSignedBy(certificate: X509Certificate, ca: X509Certificate): boolean {
  return certificate.checkIssued(ca) && certificate.verify(ca.publicKey);
}

function list(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}
