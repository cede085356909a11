/** X.509 certificates with EC P-256 keys: a small CA and what it issues. The basis of the other PKI modules. */
import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** A PEM certificate and its PKCS #8 PEM private key. */
export interface CertificateAndKey {
  certificatePem: string;
  privateKeyPem: string;
}

/** Time and randomness for issuing, injected for tests of rotation. Keys always come from WebCrypto. */
export interface IssueContext {
  now: Date;
  /** Random bytes for serial numbers. Default: `crypto.getRandomValues`. */
  random?: (bytes: number) => Uint8Array;
}

interface LeafRequest {
  commonName: string;
  /** Groups of the user, for a client certificate. */
  organizations?: readonly string[];
  usage: 'client' | 'server';
  dnsNames?: readonly string[];
  ipAddresses?: readonly string[];
  lifetimeMs: number;
}

/** Clocks of two nodes may differ by this much without a new certificate being rejected. */
const CLOCK_SKEW_MS = 5 * 60_000;

const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGNATURE_ALGORITHM = { name: 'ECDSA', hash: 'SHA-256' };

/** Random bytes from the platform. */
export function randomBytes(bytes: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(bytes));
}

/**
 * A self-signed CA that may only sign leaf certificates. Its subject contains a part of its serial number, because two CAs
 * in a bundle must not have the same name.
 */
export async function createCa(
  commonName: string,
  lifetimeMs: number,
  context: IssueContext,
): Promise<CertificateAndKey> {
  const keys = await generateKeys();
  const serialNumber = serial(context);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [`${commonName} ${serialNumber.slice(0, 8)}`] }],
    keys,
    serialNumber,
    signingAlgorithm: SIGNATURE_ALGORITHM,
    ...validity(context.now, lifetimeMs),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return toPem(certificate, keys.privateKey);
}

/** A certificate with a new key, signed by `ca`. It never outlives the CA. */
export async function issueLeaf(
  ca: CertificateAndKey,
  request: LeafRequest,
  context: IssueContext,
): Promise<CertificateAndKey> {
  const keys = await generateKeys();
  const caCertificate = new x509.X509Certificate(ca.certificatePem);
  const period = validity(context.now, request.lifetimeMs);
  const usage =
    request.usage === 'client' ? x509.ExtendedKeyUsage.clientAuth : x509.ExtendedKeyUsage.serverAuth;
  const names: x509.JsonGeneralNames = [
    ...(request.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(request.ipAddresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [...(request.organizations ?? []).map((name) => ({ O: [name] })), { CN: [request.commonName] }],
    issuer: caCertificate.subjectName,
    publicKey: keys.publicKey,
    signingKey: await importPrivateKey(ca.privateKeyPem),
    serialNumber: serial(context),
    signingAlgorithm: SIGNATURE_ALGORITHM,
    notBefore: period.notBefore,
    notAfter: new Date(Math.min(period.notAfter.getTime(), caCertificate.notAfter.getTime())),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([usage]),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(await caCertificate.publicKey.export()),
    ],
  });
  return toPem(certificate, keys.privateKey);
}

/** The validity period of a certificate. */
export function certificatePeriod(certificatePem: string): { notBefore: Date; notAfter: Date } {
  const { notBefore, notAfter } = new x509.X509Certificate(certificatePem);
  return { notBefore, notAfter };
}

/** When to renew: after two thirds of the lifetime, like cert-manager's default, which leaves a third for retries. */
export function renewalTime(certificatePem: string): Date {
  const { notBefore, notAfter } = certificatePeriod(certificatePem);
  return new Date(notBefore.getTime() + ((notAfter.getTime() - notBefore.getTime()) * 2) / 3);
}

/** Throws unless the private key belongs to the certificate. */
export async function assertKeyMatches(pair: CertificateAndKey): Promise<void> {
  const probe = new TextEncoder().encode('vllm-operator');
  const publicKey = await new x509.X509Certificate(pair.certificatePem).publicKey.export();
  const signature = await crypto.subtle.sign(
    SIGNATURE_ALGORITHM,
    await importPrivateKey(pair.privateKeyPem),
    probe,
  );
  if (!(await crypto.subtle.verify(SIGNATURE_ALGORITHM, publicKey, signature, probe))) {
    throw new Error('the private key does not belong to the certificate');
  }
}

function validity(now: Date, lifetimeMs: number): { notBefore: Date; notAfter: Date } {
  return {
    notBefore: new Date(now.getTime() - CLOCK_SKEW_MS),
    notAfter: new Date(now.getTime() + lifetimeMs),
  };
}

/**
 * 128 random bits. The first bit is cleared and the second set, because a serial number is a positive integer without
 * leading zeros.
 */
function serial(context: IssueContext): string {
  const bytes = (context.random ?? randomBytes)(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await crypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
}

async function importPrivateKey(pem: string): Promise<webcrypto.CryptoKey> {
  const [der] = x509.PemConverter.decode(pem);
  if (!der) throw new Error('the private key has no PEM block');
  return await crypto.subtle.importKey('pkcs8', der, KEY_ALGORITHM, false, ['sign']);
}

async function toPem(
  certificate: x509.X509Certificate,
  key: webcrypto.CryptoKey,
): Promise<CertificateAndKey> {
  const der = await crypto.subtle.exportKey('pkcs8', key);
  return {
    certificatePem: `${certificate.toString('pem')}\n`,
    privateKeyPem: `${x509.PemConverter.encode(der, 'PRIVATE KEY')}\n`,
  };
}
