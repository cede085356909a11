import 'reflect-metadata';
import { randomBytes, type webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 24 * 3600 * 1000;
const CA_DAYS = 3650;
const LEAF_DAYS = 365;

/** A certificate and its key, as PEM. */
export interface KeyPair {
  certificate: string;
  key: string;
}

/** Signs certificates of a cluster. */
export class CertificateAuthority {
  readonly certificate: string;
  readonly #keys: webcrypto.CryptoKeyPair;
  readonly #subject: string;
  readonly #now: Date;

  private constructor(certificate: string, keys: webcrypto.CryptoKeyPair, subject: string, now: Date) {
    this.certificate = certificate;
    this.#keys = keys;
    this.#subject = subject;
    this.#now = now;
  }

  static async create(name: string, now: Date): Promise<CertificateAuthority> {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const subject = `CN=${name}`;
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: randomBytes(8).toString('hex'),
      name: subject,
      notBefore: new Date(now.getTime() - DAY_MS),
      notAfter: new Date(now.getTime() + CA_DAYS * DAY_MS),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new CertificateAuthority(certificate.toString('pem'), keys, subject, now);
  }

  /** A server certificate for host names and addresses. */
  server(hosts: { dns: string[]; ip: string[] }): Promise<KeyPair> {
    const names = [
      ...hosts.dns.map((value) => ({ type: 'dns' as const, value })),
      ...hosts.ip.map((value) => ({ type: 'ip' as const, value })),
    ];
    return this.#issue('CN=kube-apiserver', [
      new x509.SubjectAlternativeNameExtension(names),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    ]);
  }

  /** A client certificate; its common name is the user, its organizations are the groups. */
  client(user: string, groups: string[]): Promise<KeyPair> {
    const subject = [...groups.map((group) => `O=${group}`), `CN=${user}`].join(', ');
    return this.#issue(subject, [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])]);
  }

  async #issue(subject: string, extensions: x509.Extension[]): Promise<KeyPair> {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: randomBytes(8).toString('hex'),
      subject,
      issuer: this.#subject,
      notBefore: new Date(this.#now.getTime() - DAY_MS),
      notAfter: new Date(this.#now.getTime() + LEAF_DAYS * DAY_MS),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        ...extensions,
        await x509.AuthorityKeyIdentifierExtension.create(this.#keys.publicKey),
      ],
    });
    const key = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
    const lines = key.match(/.{1,64}/g) ?? [];
    return {
      certificate: certificate.toString('pem'),
      key: `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`,
    };
  }
}
