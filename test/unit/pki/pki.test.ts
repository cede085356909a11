import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CertificateRotator } from '../../../operator/pki/certificate-rotator.ts';
import { certificatePeriod, renewalTime } from '../../../operator/pki/certificates.ts';
import {
  type Authority,
  AuthorityError,
  CA_OVERLAP_MS,
  createAuthority,
  decodeAuthority,
  dueRotation,
  encodeAuthority,
  issueClientCertificate,
  issueServingCertificate,
  rotateAuthority,
  trustBundle,
} from '../../../operator/pki/pki.ts';

const START = new Date('2026-01-01T00:00:00Z');
const DAY = 24 * 3600_000;
const later = (date: Date, ms: number) => new Date(date.getTime() + ms);

/** Whether a peer that trusts `bundle` admits the certificate at that time, as OpenSSL would decide. */
function admits(bundle: string, certificatePem: string, at: Date): boolean {
  const leaf = new X509Certificate(certificatePem);
  const within = (certificate: X509Certificate) =>
    certificate.validFromDate <= at && at <= certificate.validToDate;
  return bundle
    .split(/(?=-----BEGIN)/)
    .map((pem) => new X509Certificate(pem))
    .some((ca) => ca.ca && within(ca) && within(leaf) && leaf.checkIssued(ca) && leaf.verify(ca.publicKey));
}

describe('certificates', () => {
  it('issues a client certificate that only serves as one', async () => {
    const authority = await createAuthority({ now: START });
    const { certificatePem, privateKeyPem } = await issueClientCertificate(authority, { now: START });
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.ca).toBe(false);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.subject).toBe('CN=vllm-operator');
    expect(privateKeyPem).toContain('BEGIN PRIVATE KEY');
    expect(admits(trustBundle(authority), certificatePem, START)).toBe(true);
    expect(admits(trustBundle(await createAuthority({ now: START })), certificatePem, START)).toBe(false);
  });

  it('issues a serving certificate for its names', async () => {
    const authority = await createAuthority({ now: START });
    const { certificatePem } = await issueServingCertificate(
      authority,
      {
        dnsNames: ['vllm-operator.vllm-system.svc', 'vllm-operator.vllm-system.svc.cluster.local'],
        ipAddresses: ['::1'],
      },
      { now: START },
    );
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(certificate.checkHost('vllm-operator.vllm-system.svc')).toBeDefined();
    expect(certificate.checkHost('other.vllm-system.svc')).toBeUndefined();
    expect(certificate.checkIP('::1')).toBeDefined();
  });

  it('takes serial numbers from the injected randomness, always positive', async () => {
    const authority = await createAuthority({ now: START, random: (n) => new Uint8Array(n).fill(0xff) });
    expect(new X509Certificate(authority.current.certificatePem).serialNumber).toBe(
      '7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF',
    );
    expect([...authority.rootKey]).toEqual(new Array(32).fill(0xff));
  });

  it('never outlives the authority that signed it', async () => {
    const authority = await createAuthority({ now: START });
    const { notAfter } = certificatePeriod(authority.current.certificatePem);
    const { certificatePem } = await issueClientCertificate(authority, { now: later(notAfter, -DAY) });
    expect(certificatePeriod(certificatePem).notAfter).toEqual(notAfter);
  });
});

describe('rotation', () => {
  it('keeps an authority for two thirds of its lifetime', async () => {
    const authority = await createAuthority({ now: START });
    const justBefore = later(renewalTime(authority.current.certificatePem), -1000);
    expect(await rotateAuthority(authority, { now: justBefore })).toBe(authority);
    expect(dueRotation(authority, later(justBefore, 1000))).toBe('introduce');
  });

  it('goes introduce, promote, retire, and a bundle one step old admits the operator all the while', async () => {
    let now = START;
    let authority = await createAuthority({ now });
    let oldBundle = trustBundle(authority);
    const steps: string[] = [];
    for (let day = 0; day < 2 * 3650; day += 5) {
      now = later(START, day * DAY);
      const step = dueRotation(authority, now);
      if (!step) continue;
      authority = await rotateAuthority(authority, { now });
      const client = await issueClientCertificate(authority, { now });
      expect(admits(oldBundle, client.certificatePem, now), `${step} on day ${day}`).toBe(true);
      expect(admits(trustBundle(authority), client.certificatePem, now)).toBe(true);
      steps.push(step);
      oldBundle = trustBundle(authority);
    }
    expect(steps).toEqual(['introduce', 'promote', 'retire', 'introduce', 'promote', 'retire']);
  });

  it('leaves the bundle unchanged on promotion, so that routers restart no more often than needed', async () => {
    const first = await createAuthority({ now: START });
    const introducedAt = renewalTime(first.current.certificatePem);
    const introduced = await rotateAuthority(first, { now: introducedAt });
    expect(trustBundle(introduced)).toContain(trustBundle(first));
    expect(introduced.current).toBe(first.current);
    const promoted = await rotateAuthority(introduced, { now: later(introducedAt, CA_OVERLAP_MS) });
    expect(trustBundle(promoted)).toBe(trustBundle(introduced));
    expect(promoted.current).toBe(introduced.next);
    expect(promoted.rootKey).toBe(first.rootKey);
  });

  it('promotes at once when the operator slept until its authority expired', async () => {
    const first = await createAuthority({ now: START });
    const { notAfter } = certificatePeriod(first.current.certificatePem);
    const now = later(notAfter, DAY);
    const recovered = await rotateAuthority(first, { now });
    const client = await issueClientCertificate(recovered, { now });
    expect(admits(trustBundle(recovered), client.certificatePem, now)).toBe(true);
  });
});

describe('storage of the authority', () => {
  const stored = (authority: Authority) =>
    Object.fromEntries(
      Object.entries(encodeAuthority(authority)).filter((e): e is [string, string] => e[1] !== null),
    );

  it('comes back as it was, also in the middle of a rotation', async () => {
    const first = await createAuthority({ now: START });
    const introducedAt = renewalTime(first.current.certificatePem);
    const introduced = await rotateAuthority(first, { now: introducedAt });
    const promoted = await rotateAuthority(introduced, { now: later(introducedAt, CA_OVERLAP_MS) });
    for (const authority of [first, introduced, promoted]) {
      expect(await decodeAuthority(stored(authority))).toEqual(authority);
    }
  });

  it('removes old keys explicitly, because a merge patch keeps unnamed ones', async () => {
    const authority = await createAuthority({ now: START });
    expect(encodeAuthority(authority)).toMatchObject({
      'next.crt': null,
      'next.key': null,
      'previous.crt': null,
    });
  });

  it('takes an empty Secret for a new one, and refuses a damaged one', async () => {
    const good = stored(await createAuthority({ now: START }));
    const other = stored(await createAuthority({ now: START }));
    expect(await decodeAuthority(undefined)).toBeUndefined();
    expect(await decodeAuthority({})).toBeUndefined();
    const { 'ca.key': _key, ...withoutKey } = good;
    const damaged: [Record<string, string>, RegExp][] = [
      [withoutKey, /ca\.key: missing/],
      [{ ...good, 'root.key': 'AAAA' }, /root\.key: 3 bytes/],
      [
        { ...good, 'ca.key': other['ca.key'] ?? '' },
        /ca\.crt and ca\.key: not a certificate with its private key/,
      ],
      [{ ...good, 'ca.crt': 'bm90IGEgY2VydA==' }, /ca\.crt and ca\.key/],
      [{ ...good, 'previous.crt': 'bm90IGEgY2VydA==' }, /previous\.crt: not a certificate/],
    ];
    for (const [data, message] of damaged) {
      const failure = await decodeAuthority(data).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(AuthorityError);
      expect(String(failure)).toMatch(message);
    }
  });
});

describe('CertificateRotator', () => {
  it('reissues at two thirds of the life, when another authority signs, and when the clock went back', async () => {
    let now = START;
    const authority = await createAuthority({ now });
    const keeper = new CertificateRotator({
      issue: (signer) => issueClientCertificate(signer, { now }),
      now: () => now,
    });
    const first = await keeper.get(authority);
    now = later(renewalTime(first.certificatePem), -1);
    expect(await keeper.get(authority)).toBe(first);
    now = later(now, 1);
    const second = await keeper.get(authority);
    expect(second).not.toBe(first);
    const other = await keeper.get(await createAuthority({ now }));
    expect(other).not.toBe(second);
    now = START;
    expect(await keeper.get(authority)).not.toBe(second);
  });
});
