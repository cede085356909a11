/**
 * The operator's public key infrastructure: one root key and one CA, kept in one Secret of its own namespace, and what
 * follows from them. Routers know only the CA's public certificate.
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
/** Certificates are reissued from memory, so a short life costs nothing and needs no revocation. */
const LEAF_LIFETIME_MS = 7 * DAY_MS;
/** How long both authorities are trusted before the new one signs: time for every router to get the new bundle. */
export const CA_OVERLAP_MS = 7 * DAY_MS;

/** All that the operator keeps secret. */
export interface Authority {
  /** 32 random bytes that passwords are derived from; a new CA does not change it. */
  rootKey: Uint8Array;
  /** Signs. */
  current: CertificateAndKey;
  /** Trusted already, signs once every router has had time to learn of it. */
  next?: CertificateAndKey;
  /** Certificate (PEM) of the authority before, trusted for a while longer. */
  previousCertificatePem?: string;
}

/** A change of the authority that is due. */
export type RotationStep = 'introduce' | 'promote' | 'retire';

/** Stored data that is no authority. Never overwritten: replacing it would lock the operator out of every router at once. */
export class AuthorityError extends Error {
  readonly code = 'AuthorityInvalid';
  constructor(field: string, reason: string, options?: ErrorOptions) {
    super(
      `${field}: ${reason}. Restore the Secret, or delete it: the operator then makes a new one, restarts the routers with it, and caches start empty`,
      options,
    );
    this.name = 'AuthorityError';
  }
}

/** A new root key and CA. */
export async function createAuthority(context: IssueContext): Promise<Authority> {
  return {
    rootKey: (context.random ?? randomBytes)(32),
    current: await createCa('vllm-operator CA', CA_LIFETIME_MS, context),
  };
}

/**
 * The step that is due now, if any. At two thirds of a CA's life the next is introduced into the bundle; after
 * CA_OVERLAP_MS it signs; after as long again the old one leaves the bundle.
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

/** Takes every step that is due. Returns the same object when none is. */
export async function rotateAuthority(authority: Authority, context: IssueContext): Promise<Authority> {
  const step = dueRotation(authority, context.now);
  if (!step) return authority;
  return await rotateAuthority(await takeStep(authority, step, context), context);
}

/** PEM of every CA that routers and API servers must trust, oldest first, so that a promotion does not change it. */
export function trustBundle(authority: Authority): string {
  const certificates = [
    authority.previousCertificatePem,
    authority.current.certificatePem,
    authority.next?.certificatePem,
  ];
  return certificates.filter((pem) => pem !== undefined).join('');
}

/** The certificate with which the operator enters the routers' admin port. */
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

/** A certificate for a server of the operator's, such as its external metrics API. The first DNS name is also its common name. */
export async function issueServingCertificate(
  authority: Authority,
  names: { dnsNames: readonly [string, ...string[]]; ipAddresses?: readonly string[] },
  context: IssueContext,
): Promise<CertificateAndKey> {
  return await issueLeaf(
    authority.current,
    // A common name holds at most 64 characters (X.520 ub-common-name); clients read the alternative names anyway.
    { commonName: names.dnsNames[0].slice(0, 64), usage: 'server', lifetimeMs: LEAF_LIFETIME_MS, ...names },
    context,
  );
}

/** The authority as `data` of a Secret (base64). Keys that are null are to be removed by a merge patch. */
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

/** Reads `data` of the Secret; undefined when it holds nothing of ours yet. @throws {AuthorityError} */
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

async function verifyPair(value: CertificateAndKey, name: string): Promise<void> {
  try {
    await assertKeyMatches(value);
  } catch (cause) {
    throw new AuthorityError(`${name}.crt and ${name}.key`, 'not a certificate with its key', { cause });
  }
}
