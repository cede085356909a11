/** Client certificates as clusters issue them to users: the organizations are the groups. */
import * as x509 from '@peculiar/x509';
import type { CertificateAndKey } from '../../../../operator/pki/certificates.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export interface CertificateRequest {
  commonName: string;
  organizations?: string[];
  /** May sign others itself. */
  ca?: boolean;
  /** Default: client authentication. */
  usages?: string[];
  notAfter?: Date;
}

/** Issues a certificate that `ca` signs. */
export async function issueCertificate(
  ca: CertificateAndKey,
  { commonName, organizations = [], ca: isCa = false, usages, notAfter }: CertificateRequest,
): Promise<CertificateAndKey> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const [issuerKey = new ArrayBuffer()] = x509.PemConverter.decode(ca.privateKeyPem);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [...organizations.map((name) => ({ O: [name] })), { CN: [commonName] }],
    issuer: new x509.X509Certificate(ca.certificatePem).subjectName,
    publicKey: keys.publicKey,
    signingKey: await crypto.subtle.importKey('pkcs8', issuerKey, ALGORITHM, false, ['sign']),
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: notAfter ?? new Date(Date.now() + 3_600_000),
    extensions: [
      new x509.BasicConstraintsExtension(isCa, undefined, true),
      ...(isCa ? [] : [new x509.ExtendedKeyUsageExtension(usages ?? [x509.ExtendedKeyUsage.clientAuth])]),
    ],
  });
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificatePem: `${certificate.toString('pem')}\n`,
    privateKeyPem: `${x509.PemConverter.encode(key, 'PRIVATE KEY')}\n`,
  };
}
