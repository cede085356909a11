/**
 * The operator's public key infrastructure: a root key and a CA in one Secret in its namespace, and everything derived from
 * them. Routers only know the public certificate of the CA.
 */
import {
  assertKeyMatches,
  type CertificateAndKey,
  certificatePeriod,
  createCa,
  type IssueContext,
  issueLeaf,
  randomBytes,
  renewalTime,
} from './certificates.ts';

const DAY_MS = 24 * 60 * 60_000;
const CA_LIFETIME_MS = 3650 * DAY_MS;
/** Certificates are reissued in memory, so a short lifetime is cheap and makes revocation unnecessary. */
const LEAF_LIFETIME_MS = 7 * DAY_MS;
/** How long both CAs are trusted before the new one signs, so that all routers get the new bundle in time. */
export const CA_OVERLAP_MS = 7 * DAY_MS;

/** All secrets of the operator. */
export interface Authority {
  /** 32 random bytes from which passwords are derived. A new CA does not change them. */
  rootKey: Uint8Array;
  /** The CA that signs. */
  current: CertificateAndKey;
  /** The next CA. It is already trusted, and signs once all routers have had time to load it. */
  next?: CertificateAndKey;
  /** Certificate (PEM) of the previous CA, which is trusted for a while longer. */
  previousCertificatePem?: string;
}

/** A due change of the authority. */
export type RotationStep = 'introduce' | 'promote' | 'retire';

/**
 * The stored data is not a valid authority. It is never overwritten, because a new one would lock the operator out of all
 * routers.
 */
export class AuthorityError extends Error {
  readonly code = 'AuthorityInvalid';
  constructor(field: string, reason: string, options?: ErrorOptions) {
    super(
      `${field}: ${reason}. Restore the Secret, or delete it: the operator then creates a new one and restarts the routers, and caches start empty`,
      options,
    );
    this.name = 'AuthorityError';
  }
}

/** Creates a root key and CA. */
export async function createAuthority(context: IssueContext): Promise<Authority> {
  return {
    rootKey: (context.random ?? randomBytes)(32),
    current: await createCa('vllm-operator CA', CA_LIFETIME_MS, context),
  };
}

/**
 * The rotation step that is due, if any. After two thirds of a CA's lifetime the next one is added to the bundle. After
 * CA_OVERLAP_MS it signs. After the same time again, the old one is removed from the bundle.
 */
export function dueRotation(authority: Authority, now: Date): RotationStep | undefined {
  const current = certificatePeriod(authority.current.certificatePem);
  if (authority.next) {
    const introduced = certificatePeriod(authority.next.certificatePem).notBefore;
    const promoteAt = Math.min(introduced.getTime() + CA_OVERLAP_MS, current.notAfter.getTime());
    return now.getTime() >= promoteAt ? 'promote' : undefined;
  }
  if (authority.previousCertificatePem && now.getTime() >= current.notBefore.getTime() + 2 * CA_OVERLAP_MS) {
    return 'retire';
  }
  return now >= renewalTime(authority.current.certificatePem) ? 'introduce' : undefined;
}

/** Takes all due steps. Returns the same object if there is none. */
export async function rotateAuthority(authority: Authority, context: IssueContext): Promise<Authority> {
  const step = dueRotation(authority, context.now);
  if (!step) return authority;
  return await rotateAuthority(await takeStep(authority, step, context), context);
}

/** PEM of all CAs that routers and API servers must trust, oldest first, so that a promotion does not change it. */
export function trustBundle(authority: Authority): string {
  const certificates = [
    authority.previousCertificatePem,
    authority.current.certificatePem,
    authority.next?.certificatePem,
  ];
  return certificates.filter((pem) => pem !== undefined).join('');
}

/** The client certificate of the operator for the routers' admin port. */
export async function issueClientCertificate(
  authority: Authority,
  context: IssueContext,
): Promise<CertificateAndKey> {
  return await issueLeaf(
    authority.current,
    { commonName: 'vllm-operator', usage: 'client', lifetimeMs: LEAF_LIFETIME_MS },
    context,
  );
}

/** A serving certificate, for example for the external metrics API. The first DNS name is also its common name. */
export async function issueServingCertificate(
  authority: Authority,
  names: { dnsNames: readonly [string, ...string[]]; ipAddresses?: readonly string[] },
  context: IssueContext,
): Promise<CertificateAndKey> {
  return await issueLeaf(
    authority.current,
    // A common name has at most 64 characters (X.520 ub-common-name). Clients use the alternative names anyway.
    { commonName: names.dnsNames[0].slice(0, 64), usage: 'server', lifetimeMs: LEAF_LIFETIME_MS, ...names },
    context,
  );
}

/** The authority as `data` of a Secret (base64). A merge patch removes keys that are null. */
export function encodeAuthority(authority: Authority): Record<string, string | null> {
  const text = (value: string | undefined) =>
    value === undefined ? null : Buffer.from(value).toString('base64');
  return {
    'root.key': Buffer.from(authority.rootKey).toString('base64'),
    'ca.crt': text(authority.current.certificatePem),
    'ca.key': text(authority.current.privateKeyPem),
    'next.crt': text(authority.next?.certificatePem),
    'next.key': text(authority.next?.privateKeyPem),
    'previous.crt': text(authority.previousCertificatePem),
  };
}

/**
 * Decodes `data` of the Secret; undefined if it does not contain an authority yet.
 * @throws {AuthorityError}
 */
export async function decodeAuthority(
  data: Readonly<Record<string, string>> | undefined,
): Promise<Authority | undefined> {
  const text = (key: string) => {
    const value = data?.[key];
    return value === undefined || value === '' ? undefined : Buffer.from(value, 'base64').toString('utf8');
  };
  const rootKey = Buffer.from(data?.['root.key'] ?? '', 'base64');
  const current = pair(text('ca.crt'), text('ca.key'), 'ca');
  if (rootKey.length === 0 && !current) return undefined;
  if (rootKey.length !== 32) throw new AuthorityError('root.key', `${rootKey.length} bytes, not 32`);
  if (!current) throw new AuthorityError('ca.crt', 'missing');
  await verifyPair(current, 'ca');
  const next = pair(text('next.crt'), text('next.key'), 'next');
  if (next) await verifyPair(next, 'next');
  const previousCertificatePem = text('previous.crt');
  if (previousCertificatePem !== undefined) verifyCertificate(previousCertificatePem, 'previous.crt');
  return {
    rootKey: new Uint8Array(rootKey),
    current,
    ...(next ? { next } : {}),
    ...(previousCertificatePem ? { previousCertificatePem } : {}),
  };
}

async function takeStep(authority: Authority, step: RotationStep, context: IssueContext): Promise<Authority> {
  const { rootKey, current, next } = authority;
  switch (step) {
    case 'introduce':
      return { ...authority, next: await createCa('vllm-operator CA', CA_LIFETIME_MS, context) };
    case 'promote':
      return next ? { rootKey, current: next, previousCertificatePem: current.certificatePem } : authority;
    case 'retire':
      return { rootKey, current };
  }
}

function pair(certificatePem: string | undefined, privateKeyPem: string | undefined, name: string) {
  if (certificatePem === undefined && privateKeyPem === undefined) return undefined;
  if (certificatePem === undefined) throw new AuthorityError(`${name}.crt`, 'missing');
  if (privateKeyPem === undefined) throw new AuthorityError(`${name}.key`, 'missing');
  return { certificatePem, privateKeyPem };
}

/** Routers do not start with a trust bundle that nginx cannot read. */
function verifyCertificate(pem: string, field: string): void {
  try {
    certificatePeriod(pem);
  } catch (cause) {
    throw new AuthorityError(field, 'not a certificate', { cause });
  }
}

async function verifyPair(value: CertificateAndKey, name: string): Promise<void> {
  try {
    await assertKeyMatches(value);
  } catch (cause) {
    throw new AuthorityError(`${name}.crt and ${name}.key`, 'not a certificate with its private key', {
      cause,
    });
  }
}
